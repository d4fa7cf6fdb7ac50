"""SQL out of a model's reply."""
