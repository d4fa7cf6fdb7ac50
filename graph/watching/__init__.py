"""A run as people and tools watch it: sentences, reasons to doubt, spans and traces."""
