"""Matching of a question's words with the cells of a database."""
