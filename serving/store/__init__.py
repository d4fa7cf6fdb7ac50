"""Model store: from a name or a path to verified files, fetched where they are missing."""
