"""Reading of a schema, and of sample values, from a database."""
