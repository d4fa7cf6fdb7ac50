"""Training and evaluation: data sets, scores, rows, tuning, export."""
