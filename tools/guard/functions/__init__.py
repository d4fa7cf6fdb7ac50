"""The functions that may be called, one list for each engine."""
