"""Calibrations of the models that come with the package, by the names under which they are served."""

import json
from importlib.resources import files
from typing import Any

DEFAULT = "route-sql-0.5b-cpu"
"""The default model's adapter."""
_SERVED = {"route-sql/default": DEFAULT, DEFAULT: DEFAULT}


def packaged_calibration(adapter: str) -> dict[str, Any]:
    """The packaged calibration of an adapter."""
    text = files("route_sql.serving").joinpath(f"calibrations/{adapter}.json").read_text(encoding="utf-8")
    calibration: dict[str, Any] = json.loads(text)
    return calibration


def calibration_of_name(name: str) -> dict[str, Any] | None:
    """The calibration of a model that is served by this name, or from a folder of this name; None for other models."""
    named = "/" + name.replace("\\", "/").rstrip("/").casefold()
    found = [adapter for served, adapter in _SERVED.items() if named.endswith(f"/{served}")]
    return packaged_calibration(found[0]) if found else None
