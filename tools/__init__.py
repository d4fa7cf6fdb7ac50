"""What may be done to a database and to SQL text; no model is called in here."""
