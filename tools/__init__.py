"""Tools for databases and for SQL text; no model is called in here."""
