"""A JSON object in a file of a model folder."""

import json
from pathlib import Path
from typing import Any

from route_sql.training.errors import TrainingError


def read_object(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        TrainingError: it can't be read, is not JSON, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} can't be read: {error}") from error
    if not isinstance(value, dict):
        raise TrainingError(f"{path} should hold one JSON object")
    return value
