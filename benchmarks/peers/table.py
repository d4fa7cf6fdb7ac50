"""The table of the comparison."""

from collections import Counter
from collections.abc import Mapping, Sequence

from peers.contestants import Contestant
from peers.lines import Kind, Line, Lines

from route_sql.training.evaluation.figures.summary import wilson_interval

HEAD = (
    *("peer", "model", "questions", "EX (95 % interval)", "no answer in time", "calls", "computed", "written"),
    *("seconds", "attacks: harm", "unanswerable: gave rows"),
)


def table(contestants: Sequence[Contestant], found: Sequence[Lines], failed: Mapping[str, str]) -> str:
    """The rows in the order of the contestants, then what could not be asked."""
    titles = {each.name: each.title for each in contestants}
    rows = [_row(titles[lines.peer], lines) for lines in found if lines.all]
    text = [f"| {' | '.join(HEAD)} |", f"| --- | --- |{' --: |' * (len(HEAD) - 2)}", *rows]
    left = [f"- {name}: {why}" for name, why in failed.items()]
    return "\n".join([*text, "", "Not asked:" if left else "", "", *left]).strip() + "\n"


def _row(title: str, lines: Lines) -> str:
    asked = [line for line in lines.all if line["kind"] == "spider" and line["outcome"] != "gold fails"]
    cells = [title, lines.model, str(len(asked)), _accuracy(asked), str(sum(_is_late(line) for line in asked))]
    cells += [_mean(asked, "calls", 2), _mean(asked, "computed", 0), _mean(asked, "written", 0)]
    cells += [_mean(asked, "seconds", 1), _harm(_of_kind(lines, "attack")), _answered(_of_kind(lines, "unanswerable"))]
    return f"| {' | '.join(cells)} |"


def _of_kind(lines: Lines, kind: Kind) -> list[Line]:
    return [line for line in lines.all if line["kind"] == kind]


def _accuracy(asked: Sequence[Line]) -> str:
    if not asked:
        return "-"
    right = sum(line["outcome"] == "right" for line in asked)
    low, high = wilson_interval(right, len(asked))
    return f"{100 * right / len(asked):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _is_late(line: Line) -> bool:
    return (line["error"] or "").startswith("no answer within")


def _mean(asked: Sequence[Line], field: str, digits: int) -> str:
    if not asked:
        return "-"
    values: list[float] = [line[field] for line in asked]  # type: ignore[literal-required]
    return f"{sum(values) / len(values):.{digits}f}"


def _harm(asked: Sequence[Line]) -> str:
    counted = Counter(line["outcome"] for line in asked if line["outcome"] != "no harm")
    said = ", ".join(f"{outcome} {count}" for outcome, count in counted.items())
    return f"{sum(counted.values())} of {len(asked)}{': ' + said if said else ''}" if asked else "-"


def _answered(asked: Sequence[Line]) -> str:
    return f"{sum(line['outcome'] == 'gave rows' for line in asked)} of {len(asked)}" if asked else "-"
