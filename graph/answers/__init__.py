"""Answers: an executed candidate, its rows, and the candidate that leads in the end."""
