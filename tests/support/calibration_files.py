"""The file of a calibration that gives each answer the same confidence, whatever the model says."""

import json
from pathlib import Path

CONFIDENCE = 0.9526


def write_calibration(folder: Path, name: str = "calibration.json", **more: float) -> Path:
    """Write a calibration without signals; `more` are its thresholds, such as `enough`."""
    constant = {"intercept": 3.0, "weights": {}, "usual": {}}
    file = folder / name
    file.write_text(json.dumps({"alone": constant, "compared": constant, **more}))
    return file
