"""Rights of a caller: which tables, columns and types are hidden, and the schema without them."""
