"""An answer as a short text, for a model that calls a tool and for a person in a chat."""

from collections.abc import Sequence
from itertools import accumulate

from route_sql.graph.state import Answer
from route_sql.tools.database.outcome import Cell
from route_sql.tools.text import clean

REPLY_CHARS = 2_000
SQL_CHARS = 500
REMARK_CHARS = 160
REMARKS = 4
ERROR_CHARS = 300
SHOWN_ROWS = 20
CELL_CHARS = 100
FENCE = "```"


def reply_text(answer: Answer, database: str, limit: int = REPLY_CHARS) -> str:
    """The answer in at most `limit` characters: how sure it is, its doubts, the SQL, and as many rows as fit.

    Rows, names and SQL come from a database or a model. They are in code blocks, which they can't end.
    """
    verdict = _verdict(answer, database)
    sql = [FENCE + "sql", _inert(answer["sql"], SQL_CHARS), FENCE] if answer["sql"] else []
    room = limit - len("\n".join([verdict, *sql]))
    if room < 0:
        return verdict[:limit]
    remarks = [*_remarks("Doubt", answer["doubts"]), *_remarks("Note", answer["notes"])]
    text = "\n".join([verdict, *_fitting(remarks, room), *sql])
    if answer["error"] is not None or not answer["columns"] or len(text) == limit:
        return text
    return f"{text}\n{_table(answer, limit - len(text) - 1)}"


def _verdict(answer: Answer, database: str) -> str:
    """The first line: whether there is an answer, and how sure it is."""
    name, status = clean(database, CELL_CHARS), answer["status"]
    if answer["error"] is not None:
        reason = _inert(answer["error"], ERROR_CHARS)
        end = "" if reason.endswith((".", "!", "?")) else "."
        return f"No answer from the database {name} ({status}): {reason}{end}{_advice(answer)}"
    kind = "" if answer["calibrated"] else ", not calibrated"
    sure = f"confidence {answer['confidence']:.2f} of 1{kind}"
    if status == "unsure":
        return f"An unsure answer from the database {name} ({sure}): check it before you use it. {_count(answer)}"
    return f"Answer from the database {name} ({sure}). {_count(answer)}"


def _advice(answer: Answer) -> str:
    """Advice to a model whose question has no answer; none after a person has rejected a query."""
    is_rejected = any(candidate.get("decision") == "rejected" for candidate in answer["candidates"])
    return "" if answer["status"] == "unanswerable" or is_rejected else " Ask again in other words, or ask for less."


def _count(answer: Answer) -> str:
    count = answer["row_count"]
    rows = "No rows" if not count else "1 row" if count == 1 else f"{count} rows"
    return f"{rows}, cut at a limit." if answer["truncated"] else f"{rows}."


def _remarks(kind: str, remarks: Sequence[str]) -> list[str]:
    shown = [f"{kind}: {_inert(remark, REMARK_CHARS)}" for remark in remarks[:REMARKS]]
    more = len(remarks) - REMARKS
    return [*shown, f"{kind}: {more} more."] if more > 0 else shown


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """The first lines that fit into a number of characters, each with a line break."""
    ends = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= room]


def _table(answer: Answer, limit: int) -> str:
    """The columns and the first rows, as many as fit, and how many are not shown."""
    lines = [FENCE, _row(answer["columns"])]
    room = limit - sum(len(line) + 1 for line in lines) - len(FENCE) - len("\n(9999999 more rows are not shown)")
    shown = 0
    for row in answer["rows"][:SHOWN_ROWS]:
        line = _row(row)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
        shown += 1
    left = len(answer["rows"]) - shown
    rest = [f"({left} more {'row is' if left == 1 else 'rows are'} not shown)"] if left else []
    text = "\n".join([*lines, FENCE, *rest])
    return text if len(text) <= limit else f"({answer['row_count']} rows are too wide to be shown)"[: max(0, limit)]


def _row(cells: Sequence[Cell]) -> str:
    return " | ".join("NULL" if cell is None else _inert(str(cell), CELL_CHARS) for cell in cells)


def _inert(text: str, limit: int) -> str:
    """A text as one line that can end no code block."""
    return clean(text.replace("`" * 3, "'''"), limit)
