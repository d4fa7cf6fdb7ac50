"""Extraction of SQL from a model's reply."""
