"""The file of a calibration that a user names, which wins over the model's own."""

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from route_sql.graph.confidence import Calibration, read_calibration
from route_sql.tools.errors import InvalidInput


def read_calibration_file(path: Path | None) -> Calibration | None:
    """The calibration that `train calibrate` wrote into a file; None for no file, so that the model's own counts.

    Raises:
        InvalidInput: the file can't be read, or holds no calibration.
    """
    if path is None:
        return None
    try:
        return read_calibration(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"the calibration {path} can't be read: {error.strerror or error}") from error
    except InvalidInput as error:
        raise InvalidInput(f"{path} is {error}") from error


def recorded_calibration(calibration: Calibration | None) -> dict[str, str]:
    """The setting of a resumable run: a digest of the numbers, since a file of the same name may hold others.

    Empty without a calibration: runs of earlier versions lack it.
    """
    if calibration is None:
        return {}
    return {"calibration": sha256(json.dumps(asdict(calibration), sort_keys=True).encode()).hexdigest()[:16]}
