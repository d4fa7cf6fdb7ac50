"""The words around a table's name that only a table takes, such as ONLY, TABLESAMPLE, INDEXED BY and USE INDEX.

MySQL and MariaDB write PARTITION and FOR SYSTEM_TIME between the name and its alias.
"""

from bisect import bisect_left
from typing import NamedTuple

from sqlglot import Token, exp

from route_sql.tools.sql.parsing import shared_tree, written

_HINTS = ("USE", "FORCE", "IGNORE")
_MOST_WORDS = 60
MOVED = ("sample", "version", "partition")
"""Parts of a table's name that move with it as they are written."""


class Extent(NamedTuple):
    """Beginning and end of a table's name with its words, the words, and the place of words after an alias."""

    start: int
    end: int
    only: str = ""
    options: str = ""
    spans: tuple[tuple[int, int], ...] = ()


def upper_words(sql: str, found: list[Token]) -> list[str]:
    """The tokens as `extent_of` compares them; made once for a text, since it may name many tables."""
    return [" ".join(written(sql, token).upper().split()) for token in found]


def extent_of(
    sql: str, found: list[Token], words: list[str], name: exp.Table, place: tuple[int, int], dialect: str
) -> Extent | None:
    """The words that belong to a table's name, which has its place from a first character to the last (exclusive).

    DuckDB samples a part in brackets too, so that its words may stay where they are. Words about an index are left out:
    they change no row, and the engine would say whether there is an index, such as one of a hidden column. None if it
    is not certain where the words end.
    """
    start, end = place
    first = bisect_left(found, start, key=lambda token: token.start)
    if first == len(found) or found[first].start != start:
        return None
    last = next((at for at in range(first, len(found)) if found[at].end + 1 >= end), first)
    is_only = bool(name.args.get("only"))
    # PostgreSQL's `emp *`, the contrary of ONLY, and its default
    has_star = words[last + 1 : last + 2] == ["*"] and not isinstance(name.parent, exp.In)
    groups = _options(words, last + 1, name) if dialect != "duckdb" else []
    kept = groups if name.args.get("sample") else []
    if dialect == "mysql" and (name.args.get("version") or name.args.get("partition")):
        end_of_time = _end_of_time(sql, found, words, last + 1, name)
        if end_of_time is None:
            return None
        kept = [(last + 1, end_of_time)]
        groups = [*kept, *groups]
    return Extent(
        found[first - 1].start if is_only else start,
        found[last + 1].end + 1 if has_star else end,
        "ONLY " if is_only else "",
        "".join(f" {sql[found[a].start : found[b].end + 1]}" for a, b in kept),
        tuple((found[a].start, found[b].end + 1) for a, b in groups),
    )


def _end_of_time(sql: str, found: list[Token], words: list[str], begin: int, name: exp.Table) -> int | None:
    """The last token of PARTITION and FOR SYSTEM_TIME, from the first on: up to where they read the same alone."""
    wanted = [name.args.get(key) for key in ("partition", "version")]
    for end in range(begin, min(begin + _MOST_WORDS, len(found))):
        if words[end + 1 : end + 2] in (["("], ["."]):
            continue  # `NOW` alone is a name
        alone = shared_tree(f"SELECT 1 FROM t {sql[found[begin].start : found[end].end + 1]}", "mysql")
        if alone is not None and _parts_of_time(alone) == wanted:
            return end
    return None


def _parts_of_time(query: exp.Expr) -> list[object] | None:
    """PARTITION and FOR SYSTEM_TIME of a query that has nothing else next to its table."""
    table = query.find(exp.Table)
    clauses = {key for key, value in query.args.items() if value}
    if table is None or table.alias or clauses != {"expressions", "from_"}:
        return None
    return [table.args.get(key) for key in ("partition", "version")]


def _options(words: list[str], after: int, name: exp.Table) -> list[tuple[int, int]]:
    """The first and last tokens of each group of words after a name and its alias."""
    if name.args.get("sample"):
        begin = _place_of(words, after, "TABLESAMPLE")
        end = _closed(words, begin)
        return [(begin, _closed(words, end + 1) if words[end + 1 : end + 2] == ["REPEATABLE"] else end)]
    if name.args.get("indexed") is False:
        begin = _place_of(words, after, "NOT")
        return [(begin, begin + 1)]
    if name.args.get("indexed"):
        begin = _place_of(words, after, "INDEXED BY")  # one token; INDEXED alone may be the alias
        return [(begin, begin + 1)]
    groups = []
    for _ in name.args.get("hints") or ():
        begin = _place_of(words, after, *_HINTS)
        groups.append((begin, _closed(words, begin)))
        after = groups[-1][1] + 1
    return groups


def _place_of(words: list[str], after: int, *wanted: str) -> int:
    return next((place for place in range(after, len(words)) if words[place] in wanted), len(words) - 1)


def _closed(words: list[str], begin: int) -> int:
    """The bracket that closes the first one from a place on."""
    depth = 0
    for place in range(begin, len(words)):
        depth += (words[place] == "(") - (words[place] == ")")
        if words[place] == ")" and depth == 0:
            return place
    return len(words) - 1
