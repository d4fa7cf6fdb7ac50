"""Values of a database in forms that JSON and UTF-8 have."""

from typing import Any

from route_sql.tools.database.outcome import Cell

INFINITE = (float("inf"), float("-inf"))


def json_cell(cell: Cell) -> Cell:
    """A cell as JSON can hold it: JSON has no infinity and no NaN, and UTF-8 no lone surrogate."""
    if isinstance(cell, float) and (cell != cell or cell in INFINITE):
        return str(cell)
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell


def json_value(value: Any) -> Any:
    """A cell, list or mapping as JSON can hold it."""
    if isinstance(value, dict):
        return {str(json_cell(str(key))): json_value(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    return json_cell(value)
