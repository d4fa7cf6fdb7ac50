"""Rows of candidates: the state keeps those of the leading one, and small results of the others."""

import re

from route_sql.graph.calls.budget import Update
from route_sql.graph.selection import leading
from route_sql.graph.state import Attempt, State
from route_sql.tools.database.outcome import Cell, Outcome, ran

_ZERO = re.compile(r"[-+]?0+(?:\.0*)?(?:[eE][-+]?\d+)?")
Rows = list[list[Cell]]
FEW_CHARS = 300
"""Largest size of rows that an attempt keeps as well; each later checkpoint of the question holds them again."""


def with_few_rows(outcome: Outcome) -> Outcome:
    """The outcome as an attempt keeps it: without rows if they are large."""
    return outcome if _are_few(outcome["rows"]) else {**outcome, "rows": []}


def leading_rows(now: State, rows: Rows) -> Update:
    """The update of the state's rows after an execution; empty if an earlier candidate still leads.

    Args:
        now: The state with the newest candidate.
        rows: The rows of the newest candidate.
    """
    tried = now["attempts"]
    if leading(now) is not tried[-1] or not ran(tried[-1]["outcome"]):
        return {}
    update: Update = {"rows_of": tried[-1]["sql"]}
    return update if rows == now.get("rows") else {**update, "rows": rows}


def kept_rows(chosen: Attempt, state: State) -> Rows | None:
    """The rows of a candidate; None if the state does not hold all of them.

    It holds those of a candidate that led when it was new. One that became the leader by the agreement of a later one,
    or that a person edited, may lack them.
    """
    outcome = chosen["outcome"]
    if not ran(outcome):
        return []
    if state.get("rows_of") == chosen["sql"]:
        return state.get("rows", [])
    limit = state["choices"]["row_limit"]
    wanted = outcome["row_count"] if limit is None else min(limit, outcome["row_count"])
    return outcome["rows"] if len(outcome["rows"]) >= wanted else None


def rows_at_hand(attempt: Attempt, state: State) -> Rows:
    """The rows of a candidate, or those of them that the state holds."""
    return state.get("rows", []) if state.get("rows_of") == attempt["sql"] else attempt["outcome"]["rows"]


def is_all_zero(rows: Rows) -> bool:
    """Whether rows hold nothing but zeros and NULLs, as a count or a sum of nothing does; false without rows."""
    return bool(rows) and all(_is_nothing(cell) for row in rows for cell in row)


def _is_nothing(cell: Cell) -> bool:
    """Whether a cell is NULL or a zero; exact numbers are texts in some engines."""
    return cell is None or cell == 0 or (isinstance(cell, str) and bool(_ZERO.fullmatch(cell)))


def _are_few(rows: Rows) -> bool:
    """Whether the rows are small; large ones are not measured to the end."""
    chars = 0
    for row in rows:
        chars += sum(len(str(cell)) + 2 for cell in row)
        if chars > FEW_CHARS:
            return False
    return True
