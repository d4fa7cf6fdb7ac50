"""Words of a question that name tables and columns of a schema."""
