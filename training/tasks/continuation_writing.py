"""Continuation writing (task CW; ROUTE, section 3.1): the whole query from its beginning.

Beginnings are cut as the graph cuts them, by `continuable_prefix`. The whole query of three tables and more is among
them, since the published strategy has such a query written again even if it ran.
"""

from collections.abc import Iterator
from random import Random

from sqlglot import Token, TokenType

from route_sql.agents import continuation_writer
from route_sql.tools.sql.continuation import NOTHING, continuable_prefix
from route_sql.tools.sql.hardness import HARD, table_count
from route_sql.tools.sql.parsing import tokens
from route_sql.training.tasks.task import Judge, PreparedExample, Row, TaskName, make_row

ROWS = 2
"""The number of beginnings of one example that become rows."""

_CLAUSES = (
    TokenType.FROM,
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.HAVING,
    TokenType.ORDER_BY,
    TokenType.LIMIT,
    TokenType.UNION,
    TokenType.INTERSECT,
    TokenType.EXCEPT,
)
_JOINS = (TokenType.JOIN, TokenType.INNER, TokenType.LEFT, TokenType.CROSS)


class ContinuationWriting:
    """Beginning of a query to the whole query; a reply scores 1 if the joined SQL returns what the gold does."""

    name: TaskName = "continuation_writing"

    def rows(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """Rows on beginnings of different kinds: clause, token, join, wrong, bare, whole."""
        distinct: dict[str, str] = {}
        for kind, prefix in _beginnings(prepared, random):
            distinct.setdefault(prefix, kind)
        drawn = random.sample(sorted(distinct), min(ROWS, len(distinct)))
        return [
            make_row(
                prepared,
                self.name,
                distinct[prefix],
                continuation_writer.messages(prepared.brief, prefix),
                prepared.gold,
                prefix,
            )
            for prefix in drawn
        ]

    async def score(self, reply: str, row: Row, judge: Judge) -> float:
        """Execution accuracy of the beginning joined with the reply."""
        dialect = judge.databases.get(row["database"]).dialect
        return await judge.right(row, continuation_writer.parse(reply, row["given"], dialect))


def _beginnings(prepared: PreparedExample, random: Random) -> Iterator[tuple[str, str]]:
    """Kind and text of each beginning that the example offers."""
    found = tokens(prepared.gold, prepared.schema.dialect) or []
    yield "bare", NOTHING
    if table_count(prepared.gold, prepared.schema) >= HARD:
        yield "whole", prepared.gold
    yield from _wrong(prepared, found, random)
    for kind, ends in _cuts(found).items():
        if ends:
            yield kind, continuable_prefix(prepared.gold[: random.choice(ends)], prepared.brief.schema)


def _cuts(found: list[Token]) -> dict[str, list[int]]:
    """Ends of possible beginnings, by kind: before a clause, after a join with its condition, after any token."""
    ends = [token.end + 1 for token in found]
    clauses = [ends[place - 1] for place, token in enumerate(found) if place and token.token_type in _CLAUSES]
    return {
        "token": ends[1:-1],
        "clause": clauses,
        "join": [end for place in _join_ends(found) if (end := ends[place - 1]) < ends[-1]],
    }


def _join_ends(found: list[Token]) -> Iterator[int]:
    """The place after each join: where the next join or clause begins, or a bracket closes."""
    inside = False
    for place, token in enumerate(found):
        ends = token.token_type in (*_CLAUSES, *_JOINS, TokenType.R_PAREN)
        if inside and ends and found[place - 1].token_type not in _JOINS:
            inside = False
            yield place
        inside = inside or token.token_type == TokenType.JOIN


def _wrong(prepared: PreparedExample, found: list[Token], random: Random) -> Iterator[tuple[str, str]]:
    """The valid beginning of a wrong query, cut as the graph cuts it and no longer than it agrees with the gold."""
    if not prepared.wrongs:
        return
    own = [ran for ran in prepared.wrongs if ran.kind == "model"]
    wrong = random.choice(own or prepared.wrongs).sql
    shared = _shared(found, tokens(wrong, prepared.schema.dialect) or [])
    standing = continuable_prefix(wrong, prepared.brief.schema)
    kept = [end for token, end in shared if end <= len(standing)]
    if len(kept) > 1:
        yield "wrong", continuable_prefix(wrong[: kept[-1]], prepared.brief.schema)


def _shared(gold: list[Token], wrong: list[Token]) -> list[tuple[Token, int]]:
    """The tokens that both queries begin with, and where each ends in the wrong one."""
    shared = []
    for right, other in zip(gold, wrong, strict=False):
        if _meaning(right) != _meaning(other):
            break
        shared.append((right, other.end + 1))
    return shared


def _meaning(token: Token) -> tuple[TokenType, str]:
    """Type and text of a token; the case of a literal counts, that of a name or keyword does not."""
    return token.token_type, token.text if token.token_type == TokenType.STRING else token.text.casefold()
