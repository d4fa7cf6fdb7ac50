"""Output to a terminal: only this module writes there. It lays out answers, schemas and runs.

Whatever is printed passes `escaped`, so that no cell, name, SQL, error or path can steer the terminal, and none of it
is read as markup. Where the output is not a terminal it is plain text with tabs, and rows are all there.
"""

import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import IO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderHook, RenderResult
from rich.segment import Segment
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from route_sql.graph.state import Answer, LedgerEntry
from route_sql.row_formats import PrintedRows, RowFormat, as_text, laid_out
from route_sql.tools.database.outcome import Cell, Outcome
from route_sql.tools.terminal import escaped, escaped_json

ROWS = 20
"""Number of rows that a terminal shows."""


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that reads no markup in what it prints and escapes what could steer a terminal."""
    made = Console(stderr=stderr, soft_wrap=soft_wrap, markup=False, highlight=False, emoji=False)
    made.push_render_hook(_Escaping())
    return made


def allow_any_encoding() -> None:
    """Write characters that a stream's encoding lacks as escapes; a Latin-1 terminal must not end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, file: IO[str] | None = None) -> None:
    """Print a text of one or more lines, unwrapped, by default on standard output."""
    stream = file or sys.stdout
    stream.write(_encodable(escaped(text, lines=True), getattr(stream, "encoding", None)) + "\n")
    stream.flush()


def say_json(value: object) -> None:
    """Print one JSON object that means exactly `value`, in characters that the output can carry."""
    text = escaped_json(value)
    say(text if _encodable(text, sys.stdout.encoding) == text else escaped_json(value, only_ascii=True))


def complain(text: str, style: str = "red") -> None:
    """Print on standard error; further lines are indented, so that none looks like another message."""
    lines = escaped(text, lines=True).split("\n")
    console(stderr=True, soft_wrap=True).print("\n  ".join(lines), style=style)


def complain_of_failure(answer: Answer) -> None:
    """Print on standard error why an answer failed; nothing if it did not."""
    if answer["error"]:
        complain(escaped(_failure(answer)))


def print_sql(answer: Answer) -> None:
    """The SQL and nothing else; nothing where there is none."""
    if answer["sql"]:
        say(answer["sql"])


def print_answer(out: Console, answer: Answer) -> None:
    """The SQL, the rows, who did what, and what it cost."""
    if out.is_terminal:
        out.print(_sql(answer), _rows(answer, out), _tables(answer))
    else:
        work = (f"{part.caption}\n{as_text(part, 'tsv')}" for part in _tables_of_the_run(answer))
        say("\n\n".join([answer["sql"] or "no SQL", _plain_rows(answer), *work]), out.file)
    if answer["sql"] is not None:
        out.print(Text(_confidence(answer)), soft_wrap=not out.is_terminal)
    for remark in [*answer["doubts"], *answer["notes"]]:
        out.print(Text(escaped(remark), style="yellow"), soft_wrap=not out.is_terminal)


def print_outcome(out: Console, outcome: Outcome) -> None:
    """The rows of one query, or the reason for none; outside a terminal the count is on standard error."""
    if out.is_terminal:
        out.print(_rows(outcome, out))
    elif outcome["error"]:
        say(escaped(_failure(outcome)), out.file)
    else:
        say(as_text(_whole(outcome), "tsv"), out.file)
        complain(_count(outcome), style="")


def print_rows(out: Console, result: Answer | Outcome, form: RowFormat) -> None:
    """The rows and nothing else; standard error gets the reason for none, and a note if some are missing."""
    if result["error"]:
        complain(escaped(_failure(result)))
        return
    if form == "table":
        out.print(_rows(result, out))
    else:
        say(as_text(_whole(result), form), out.file)
    if result["truncated"]:
        complain(f"{_count(result)}; the rest was cut off by a limit", style="yellow")


def _confidence(answer: Answer) -> str:
    """Confidence of the answer, and whether that number is a probability."""
    kind = "" if answer["calibrated"] else " (not calibrated: it only orders answers)"
    unsure = ", below the bound: unsure" if answer["status"] == "unsure" else ""
    return f"confidence {answer['confidence']:.2f}{kind}{unsure}"


def _sql(answer: Answer) -> RenderableType:
    if answer["sql"] is None:
        return Text("no SQL", style="red")
    return Syntax(escaped(answer["sql"], lines=True), "sql", word_wrap=True, background_color="default")


def _rows(result: Answer | Outcome, out: Console) -> RenderableType:
    if result["error"]:
        return Text(escaped(_failure(result)), style="red")
    first = result["rows"][: ROWS if out.is_terminal else None]
    of = f", {len(first)} shown" if len(first) < result["row_count"] else ""
    rows = PrintedRows(result["columns"], first, _count(result) + of)
    return laid_out(rows, out.width, lambda text: _encodable(escaped(text), out.encoding))


def _plain_rows(answer: Answer) -> str:
    if answer["error"]:
        return escaped(_failure(answer))
    return f"{as_text(_whole(answer), 'tsv')}\n\n{_count(answer)}"


def _whole(result: Answer | Outcome) -> PrintedRows:
    return PrintedRows(result["columns"], result["rows"])


def _failure(result: Answer | Outcome) -> str:
    return f"{result['status']}: {result['error']}"


def _count(result: Answer | Outcome) -> str:
    more = "+" if result["truncated"] and len(result["rows"]) >= result["row_count"] else ""
    return f"{result['row_count']}{more} row{'s' if result['row_count'] != 1 else ''}"


def _tables_of_the_run(answer: Answer) -> tuple[PrintedRows, PrintedRows]:
    """Tables of the candidates and of the calls with their cost."""
    candidates: list[list[Cell]] = [
        [c["agent"], c["status"] + (f": {c['error']}" if c["error"] else ""), c["row_count"], c["sql"]]
        for c in answer["candidates"]
    ]
    calls: list[list[Cell]] = [
        [
            e["node"],
            e["prompt_tokens"],
            _cached(e),
            e["completion_tokens"],
            f"{e['seconds']:.2f}",
        ]
        for e in answer["ledger"]
    ]
    return (
        PrintedRows(["agent", "outcome", "rows", "SQL"], candidates, "who did what"),
        PrintedRows(["call", "prompt tokens", "of them cached", "written", "seconds"], calls, "ledger"),
    )


def _cached(entry: LedgerEntry) -> Cell:
    """The cached tokens; a dash where the server doesn't say them."""
    return "-" if entry["cached_tokens"] is None else entry["cached_tokens"]


def _tables(answer: Answer) -> RenderableType:
    candidates, calls = _tables_of_the_run(answer)
    styles = ["" if candidate["status"] == "ok" else "yellow" for candidate in answer["candidates"]]
    return Group(_table(candidates, styles), _table(calls, [""] * len(calls.rows)))


def _table(part: PrintedRows, styles: Iterable[str]) -> Table:
    table = Table(*part.columns, title=part.caption, title_justify="left")
    for row, style in zip(part.rows, styles, strict=True):
        table.add_row(*(Text(escaped(str(cell), lines=True)) for cell in row), style=style)
    return table


def _encodable(text: str, encoding: str | None) -> str:
    """The text with escapes for what an encoding lacks; a stream in memory has none and takes everything."""
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)


class _Escaping(RenderHook):
    """Escapes all text that a console draws, a second time after `escaped` in the layouts."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap each."""
        return [_Escaped(renderable) for renderable in renderables]


class _Escaped:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, out: Console, options: ConsoleOptions) -> RenderResult:
        for segment in out.render(self._inner, options):
            is_plain = segment.control is None
            yield Segment(escaped(segment.text, lines=True), segment.style) if is_plain else segment
