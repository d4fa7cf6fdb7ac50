"""Kinds of error of a wrong answer: how its query differs from the gold query, or why it did not run."""

import re
from collections.abc import Callable, Iterable

from sqlglot import exp

from route_sql.tools.sql.parsing import parse_query
from route_sql.training.evaluation.run_log import Line

NOTHING_SEEN = "other difference"
WITHOUT_ROWS = {
    "error": "does not run",
    "timeout": "stopped at its deadline",
    "refused": "refused",
    "unanswerable": "withheld",
}
"""Kinds by the status of an answer without rows."""


def error_kinds(line: Line, gold: str | None, dialect: str = "sqlite") -> list[str]:
    """The kinds of error of a line, none if it is right.

    Args:
        line: One question of a run.
        gold: The gold SQL; None if it is not known, then the reason of the scoring is the kind.
        dialect: sqlglot's name of the SQL dialect.
    """
    if line["correct"]:
        return []
    if line["gold_fault"]:
        return ["the gold query fails"]
    if line["sql"] is None:
        return ["no SQL"]
    if line["status"] in WITHOUT_ROWS:
        return [WITHOUT_ROWS[line["status"]]]
    if gold is None:
        return [re.sub(r": .*", "", line["reason"] or NOTHING_SEEN)]
    return differences(line["sql"], gold, dialect)


def differences(sql: str, gold: str, dialect: str = "sqlite") -> list[str]:
    """Differences of a query from the gold query, in the words of the field; `other difference` if none is known."""
    one, other = parse_query(sql, dialect), parse_query(gold, dialect)
    if one is None or other is None:
        return ["unreadable query"]
    found = _amounts("table", _names(one, exp.Table), _names(other, exp.Table))
    found += _amounts("condition", _conditions(one), _conditions(other))
    found += [kind for kind, read in _PARTS.items() if read(one) != read(other)]
    return found or [NOTHING_SEEN]


def _amounts(what: str, ours: set[str], golds: set[str]) -> list[str]:
    """Whether something is missing, redundant, or another."""
    missing, more = golds - ours, ours - golds
    if missing and more:
        return [f"other {what}"]
    return [f"missing {what}"] if missing else [f"redundant {what}"] if more else []


def _names(tree: exp.Expr, kind: type[exp.Expr]) -> set[str]:
    return {each.name.casefold() for each in tree.find_all(kind)}


def _columns(nodes: Iterable[exp.Expr]) -> set[str]:
    return {column.name.casefold() for node in nodes for column in node.find_all(exp.Column)}


def _conditions(tree: exp.Expr) -> set[str]:
    """Columns of the conditions of WHERE and HAVING, with their operators."""
    clauses = [*tree.find_all(exp.Where), *tree.find_all(exp.Having)]
    tests = [test for clause in clauses for test in clause.find_all(exp.Predicate)]
    return {f"{type(test).__name__} {sorted(_columns([test]))}" for test in tests}


def _selected(tree: exp.Expr) -> set[str]:
    selects = list(tree.find_all(exp.Select))
    return _columns(item for item in selects[0].expressions) if selects else set()


def _literals(tree: exp.Expr) -> set[str]:
    return {str(each.this).casefold() for each in tree.find_all(exp.Literal) if each.is_string}


def _has(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], object]:
    return lambda tree: sorted({type(each).__name__ for each in tree.find_all(*kinds)})


_PARTS: dict[str, Callable[[exp.Expr], object]] = {
    "other columns": _selected,
    "other value": _literals,
    "other aggregate": _has(exp.AggFunc),
    "other grouping": lambda tree: _columns(tree.find_all(exp.Group)),
    "other order": lambda tree: [str(each.args.get("desc") or False) for each in tree.find_all(exp.Ordered)],
    "other limit": lambda tree: [each.sql() for each in tree.find_all(exp.Limit)],
    "DISTINCT": _has(exp.Distinct),
    "other set operation": _has(exp.SetOperation),
}
"""Parts of a query that are compared, by the kind of error where they differ."""
