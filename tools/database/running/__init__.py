"""Running one bounded query: what the engines share."""
