"""Tools for databases and for SQL text; none calls a model."""
