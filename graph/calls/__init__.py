"""Calls of the model: their cost, their texts, and the time that is left for them."""
