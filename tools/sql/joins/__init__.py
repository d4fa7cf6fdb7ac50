"""Repair of the joins of a query along the keys of its schema."""
