"""From an adapter to a model that is served, and back."""
