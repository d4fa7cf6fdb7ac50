"""From rows to an adapter."""
