"""DuckDB files as databases."""
