"""The functions that may be called, one list an engine."""
