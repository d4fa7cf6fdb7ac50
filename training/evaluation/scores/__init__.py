"""Scores of one answer: execution accuracy, and the further scores next to it."""
