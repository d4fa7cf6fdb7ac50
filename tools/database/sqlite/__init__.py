"""SQLite files as databases."""
