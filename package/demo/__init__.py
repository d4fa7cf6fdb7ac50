"""The demo database, a clinic of our own invention, and questions about it with gold SQL."""
