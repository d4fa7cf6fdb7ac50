"""Confidence that means something: fitted on a run's lines, and measured on another run's."""
