"""Cells of a database that a question names."""
