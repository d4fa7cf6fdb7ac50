"""The tool `execute_sql`: one bounded query; a short text for a model, the whole outcome as artifact."""

from dataclasses import replace
from math import inf
from typing import Annotated, Any, cast, get_args

from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Cell, Outcome, Status, shortened
from route_sql.tools.database.running.rows import fetch
from route_sql.tools.errors import InvalidInput
from route_sql.tools.limits import Limits
from route_sql.tools.schema.rights.visibility import rights_given
from route_sql.tools.text import clean

CONTENT_CHARS = 2_000
SHOWN_ROWS = 10
SHOWN_CELL_CHARS = 100
ERROR_CHARS = 500
DESCRIPTION = "Run one read-only SQL query on a database and return its first rows, or why it failed."


class ExecuteSQL(StructuredTool):
    """The tool `execute_sql`; its databases keep a query's bounds."""


def make_execute_sql(catalog: Catalog, *, max_chars: int = CONTENT_CHARS) -> BaseTool:
    """The tool `execute_sql(sql, database, seconds)`; the message of a tool call has the `Outcome` as artifact.

    A caller may also pass `allow`, `hide` and `within`, which narrow what the catalog shows (see `rights_given`); a
    model does not see them.

    Args:
        catalog: Where `database` is looked up.
        max_chars: The cap of the text for a model.

    Raises (when called):
        InvalidInput: `seconds` is not above 0.
        UnknownDatabase: the catalog has no such database.
        DatabaseUnavailable: the database can't be read.
    """

    async def execute_sql(
        sql: Annotated[str, "One SELECT statement"],
        database: Annotated[str, "The database's name in the catalog"],
        seconds: Annotated[float | None, "A deadline, if it is to be shorter than the database's own"] = None,
        allow: Annotated[list[str] | None, InjectedToolArg] = None,
        hide: Annotated[list[str] | None, InjectedToolArg] = None,
        within: Annotated[dict[str, Any] | None, InjectedToolArg] = None,
    ) -> tuple[str, Outcome]:
        opened = catalog.get(database, rights_given(allow, hide, within))
        limits = opened.limits
        sooner = None if seconds is None else replace(limits, seconds=min(seconds, limits.seconds))
        outcome = await opened.execute(sql, sooner)
        return render_outcome(outcome, max_chars), outcome

    return ExecuteSQL.from_function(
        coroutine=execute_sql,
        name="execute_sql",
        description=DESCRIPTION,
        response_format="content_and_artifact",
    )


def outcome_of(tool: BaseTool, message: object, limits: Limits | None = None) -> Outcome:
    """The outcome in the message of a tool: `execute_sql`, or one that replaces it.

    Args:
        tool: The tool.
        message: Its message.
        limits: Caps of the result, for a tool of the caller's; None for `execute_sql`, which keeps them itself.

    Raises:
        InvalidInput: it gave none.
    """
    artifact = getattr(message, "artifact", None)
    if not isinstance(artifact, dict) or not artifact.keys() >= Outcome.__required_keys__:
        raise InvalidInput(
            f"the executor {tool.name} must give an Outcome as its artifact, {', '.join(Outcome.__annotations__)}: "
            'make the tool with response_format="content_and_artifact" and return (text, outcome)'
        )
    return cast(Outcome, artifact) if limits is None else _capped(tool, artifact, limits)


def _capped(tool: BaseTool, given: dict[str, Any], limits: Limits) -> Outcome:
    """An outcome of a caller's tool within the caps, in cells that a checkpointer holds."""
    status, rows, columns = given["status"], given["rows"], given["columns"]
    is_one = status in get_args(Status) and isinstance(rows, list) and isinstance(columns, list)
    if not is_one or not all(isinstance(row, list | tuple) and len(row) == len(columns) for row in rows):
        raise InvalidInput(
            f"the executor {tool.name} gave no valid Outcome: status must be one of {', '.join(get_args(Status))}, "
            "columns a list of names and rows a list of lists with a cell for each column; make it with "
            "route_sql.returned or route_sql.failed"
        )
    fetched = fetch(rows, limits)
    has_run = status in ("ok", "empty")
    return Outcome(
        status=status,
        columns=[str(name) for name in columns],
        rows=fetched.rows,
        row_count=_count_in(given["row_count"], len(fetched.rows)),
        truncated=bool(given["truncated"]) or fetched.truncated,
        error=None if has_run else shortened(str(given["error"] or status)),
        digest=str(given["digest"] or fetched.digest) if has_run else None,
        seconds=float(given["seconds"]) if _is_time(given["seconds"]) else 0.0,
    )


def _count_in(given: object, fetched: int) -> int:
    """The number of rows that a caller's tool gives, if it is one."""
    return given if isinstance(given, int) and not isinstance(given, bool) and given >= fetched else fetched


def _is_time(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < inf


def render_outcome(outcome: Outcome, max_chars: int = CONTENT_CHARS) -> str:
    """An outcome as a short text for a model: the count, the columns and the first rows, or what went wrong.

    Text from the database is cleaned; the text has at most `max_chars` characters and no half row.
    """
    if outcome["error"] is not None:
        return clean(f"{outcome['status']}: {clean(outcome['error'], ERROR_CHARS)}", max_chars)
    lines = [_count(outcome), " | ".join(clean(name, SHOWN_CELL_CHARS) for name in outcome["columns"])]
    lines += [_row(row) for row in outcome["rows"][:SHOWN_ROWS]]
    return _fit(lines, max_chars)


def _count(outcome: Outcome) -> str:
    count = outcome["row_count"]
    text = "no rows" if not count else "1 row" if count == 1 else f"{count} rows"
    if outcome["truncated"]:
        text += ", cut short"
    return f"{text}, the first {SHOWN_ROWS}:" if count > SHOWN_ROWS else f"{text}:" if count else text


def _row(row: list[Cell]) -> str:
    return " | ".join("NULL" if cell is None else clean(str(cell), SHOWN_CELL_CHARS) for cell in row)


def _fit(lines: list[str], max_chars: int) -> str:
    """The first lines that fit whole; the very first is cut if it does not fit."""
    kept = clean(lines[0], max_chars)
    for line in lines[1:]:
        if len(kept) + 1 + len(line) > max_chars:
            break
        kept += f"\n{line}"
    return kept
