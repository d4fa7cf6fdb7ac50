"""Tables of runs, for a terminal and for a README."""

from collections.abc import Callable, Mapping
from itertools import chain

from rich.table import Table

from route_sql.training.evaluation.figures.comparison import Comparison
from route_sql.training.evaluation.figures.summary import PartAccuracy, Summary

_NOT_SCORED = "not scored"

_COLUMNS: Mapping[str, Callable[[Summary], str]] = {
    "n": lambda run: str(run["n"]),
    "EX (95 % interval)": lambda run: _interval(run),
    "coverage": lambda run: _figure(100 * run["coverage"], ".1f"),
    "suite (95 % interval)": lambda run: _suite(run),
    "soft F1": lambda run: _figure(100 * run["soft_f1"], ".1f") if "soft_f1" in run else _NOT_SCORED,
    "R-VES": lambda run: _figure(run["r_ves"], ".1f") if "r_ves" in run else _NOT_SCORED,
    "1 table": lambda run: _part(run["by_tables"]["1"]),
    "2 tables": lambda run: _part(run["by_tables"]["2"]),
    "3+ tables": lambda run: _part(run["by_tables"]["3+"]),
    "calls": lambda run: _figure(run["calls_per_question"], ".2f"),
    "prompt tokens": lambda run: _figure(run["prompt_tokens_per_question"], ",.0f"),
    "computed": lambda run: _figure(run["computed_prompt_tokens_per_question"], ",.0f"),
    "seconds": lambda run: _figure(run["seconds_per_question"], ".1f"),
}
"""The cell of each column; costs are means per question, `computed` are prompt tokens that were not cached.
A score that no run has gets no column."""


def summary_table(runs: Mapping[str, Summary], title: str | None = None) -> Table:
    """A table for rich's console with one column for each run, by name (such as its strategy): it fits a terminal."""
    table = Table("strategy", title=title)
    for name in runs:
        table.add_column(name, justify="right")
    for cells in summary_cells(runs):
        table.add_row(*cells)
    return table


def markdown_table(runs: Mapping[str, Summary]) -> str:
    """The same figures in Markdown, with one row for each run, without a newline at its end."""
    headers = ["strategy", *_headers(runs)]
    rule = ["---", *("--:" for _ in headers[1:])]
    rows = ([cell.replace("|", "\\|") for cell in cells] for cells in _cells(runs))
    return "\n".join(f"| {' | '.join(row)} |" for row in [headers, rule, *rows])


def summary_cells(runs: Mapping[str, Summary]) -> list[tuple[str, ...]]:
    """The same table transposed: each header with the cells of all runs."""
    rows = _cells(runs)
    return [(header, *(row[place] for row in rows)) for place, header in enumerate(_headers(runs), start=1)]


def comparison_sentence(first: str, second: str, comparison: Comparison) -> str:
    """A paired comparison of two named runs in one sentence."""
    return (
        f"Of {comparison['n']} questions {first} and {second} both got {comparison['both']} right, "
        f"only {first} {comparison['only_first']}, only {second} {comparison['only_second']}, "
        f"neither {comparison['neither']} (exact McNemar p = {comparison['p_value']:.2g})."
    )


def _headers(runs: Mapping[str, Summary]) -> list[str]:
    return [*_scored(runs), *_difficulties(runs)]


def _scored(runs: Mapping[str, Summary]) -> Mapping[str, Callable[[Summary], str]]:
    return {
        header: cell
        for header, cell in _COLUMNS.items()
        if not runs or any(cell(run) != _NOT_SCORED for run in runs.values())
    }


def _cells(runs: Mapping[str, Summary]) -> list[list[str]]:
    nothing = PartAccuracy(n=0, ex=None)
    return [
        [name, *(cell(run) for cell in _scored(runs).values())]
        + [_part(run["by_difficulty"].get(word, nothing)) for word in _difficulties(runs)]
        for name, run in runs.items()
    ]


def _difficulties(runs: Mapping[str, Summary]) -> list[str]:
    return sorted(set(chain.from_iterable(run["by_difficulty"] for run in runs.values())))


def _interval(run: Summary) -> str:
    return f"{100 * run['ex']:.1f} ({100 * run['ex_low']:.1f} to {100 * run['ex_high']:.1f})"


def _suite(run: Summary) -> str:
    if "suite_ex" not in run:
        return _NOT_SCORED
    return f"{100 * run['suite_ex']:.1f} ({100 * run['suite_low']:.1f} to {100 * run['suite_high']:.1f})"


def _part(share: PartAccuracy) -> str:
    return "-" if share["ex"] is None else f"{100 * share['ex']:.1f} (n={share['n']})"


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
