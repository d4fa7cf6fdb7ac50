"""Calibration of the confidence: fitted on one run's lines, measured on another's."""
