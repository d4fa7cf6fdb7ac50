"""Recall and precision of a schema link: the tables and columns that the gold query uses."""

from collections.abc import Sequence
from statistics import fmean
from typing import TypedDict

from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.training.errors import EvaluationError


class LinkScore(TypedDict):
    """Shares from 0 to 1 of one link, or their means over many; where there is nothing to find, it is 1."""

    table_recall: float
    """Share of the gold's tables that the link names."""
    table_precision: float
    column_recall: float
    column_precision: float
    complete_tables: float
    """1 if the link names every table of the gold; over many, the share of questions where it does."""
    complete_columns: float


def score_link(predicted: Link, gold: Link) -> LinkScore:
    """Compare a link with the gold's; names count as equal whatever their case."""
    tables = [{name.casefold() for name in link} for link in (predicted, gold)]
    columns = [
        {(table.casefold(), name.casefold()) for table, names in link.items() for name in names}
        for link in (predicted, gold)
    ]
    return LinkScore(
        table_recall=_share(len(tables[0] & tables[1]), len(tables[1])),
        table_precision=_share(len(tables[0] & tables[1]), len(tables[0])),
        column_recall=_share(len(columns[0] & columns[1]), len(columns[1])),
        column_precision=_share(len(columns[0] & columns[1]), len(columns[0])),
        complete_tables=float(tables[1] <= tables[0]),
        complete_columns=float(columns[1] <= columns[0]),
    )


def score_link_of_query(predicted: Link, sql: str, schema: Schema) -> LinkScore:
    """Compare a link with the tables and columns of the gold query, the keys of its joins included."""
    return score_link(predicted, tables_and_columns(sql, schema))


def mean_link_score(scores: Sequence[LinkScore]) -> LinkScore:
    """The mean of each share over questions.

    Raises:
        EvaluationError: there is no score.
    """
    if not scores:
        raise EvaluationError("no link was scored, so there is no mean")
    return LinkScore(
        table_recall=fmean(score["table_recall"] for score in scores),
        table_precision=fmean(score["table_precision"] for score in scores),
        column_recall=fmean(score["column_recall"] for score in scores),
        column_precision=fmean(score["column_precision"] for score in scores),
        complete_tables=fmean(score["complete_tables"] for score in scores),
        complete_columns=fmean(score["complete_columns"] for score in scores),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
