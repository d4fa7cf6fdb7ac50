"""Fine-tuning in two stages on one GPU: text to SQL and linking first, then all tasks with that model's mistakes."""
