"""The ground the executor stands on: one adapter an engine, bounded and read-only."""
