"""Evaluation: whether an answer is right, and the figures of a run over many questions."""
