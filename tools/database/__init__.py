"""Databases: one adapter for each engine, bounded and read-only."""
