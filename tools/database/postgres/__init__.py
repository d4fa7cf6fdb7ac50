"""PostgreSQL as a database."""
