"""A database schema as data: records, reflection, rendering for a prompt, reduction by relevance."""
