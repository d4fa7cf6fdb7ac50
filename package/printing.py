"""How an answer, a schema and a run look in a terminal."""

from rich.console import Console, Group, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from route_sql.graph.state import Answer, Candidate, LedgerEntry
from route_sql.tools.database.outcome import Outcome

ROWS = 20


def print_answer(console: Console, answer: Answer) -> None:
    """The SQL, the rows, who did what, and what it cost."""
    console.print(_sql(answer), _rows(answer), _candidates(answer["candidates"]), _ledger(answer["ledger"]))
    for note in answer["notes"]:
        console.print(Text(note, style="yellow"))


def print_outcome(console: Console, outcome: Outcome) -> None:
    """The rows of one query, or why there are none."""
    console.print(_rows(outcome))


def _sql(answer: Answer) -> RenderableType:
    if answer["sql"] is None:
        return Text("no SQL", style="red")
    return Syntax(answer["sql"], "sql", word_wrap=True, background_color="default")


def _rows(answer: Answer | Outcome) -> RenderableType:
    if answer["error"]:
        return Text(f"{answer['status']}: {answer['error']}", style="red")
    table = Table(caption=_count(answer), caption_justify="left")
    for name in answer["columns"]:
        table.add_column(Text(name))
    for row in answer["rows"][:ROWS]:
        table.add_row(*(Text("NULL", style="dim") if cell is None else Text(str(cell)) for cell in row))
    return table


def _count(answer: Answer | Outcome) -> str:
    shown = min(ROWS, len(answer["rows"]))
    more = "+" if answer["truncated"] and len(answer["rows"]) >= answer["row_count"] else ""
    of = f", {shown} shown" if shown < answer["row_count"] else ""
    return f"{answer['row_count']}{more} row{'s' if answer['row_count'] != 1 else ''}{of}"


def _candidates(candidates: list[Candidate]) -> RenderableType:
    table = Table("agent", "outcome", "rows", "SQL", title="who did what", title_justify="left")
    for candidate in candidates:
        said = f": {candidate['error']}" if candidate["error"] else ""
        outcome = Text(candidate["status"] + said, style="" if candidate["status"] == "ok" else "yellow")
        table.add_row(Text(candidate["agent"]), outcome, str(candidate["row_count"]), Text(candidate["sql"]))
    return table


def _ledger(ledger: list[LedgerEntry]) -> RenderableType:
    table = Table("call", "prompt tokens", "of them cached", "written", "seconds", title="ledger", title_justify="left")
    for entry in ledger:
        counts = (entry["prompt_tokens"], entry["cached_tokens"], entry["completion_tokens"])
        table.add_row(entry["node"], *map(str, counts), f"{entry['seconds']:.2f}")
    return Group(table)
