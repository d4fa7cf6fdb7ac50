"""Data sets and query logs: questions with their gold SQL. They are read, never changed."""
