"""From questions with gold SQL to rows that a model learns from."""
