"""Repairing the joins of a query along the schema's keys."""
