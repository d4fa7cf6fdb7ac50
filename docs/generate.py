"""Write the pages that are made from the code: `python docs/generate.py`. A test compares them with the code.

`graph.svg` is the compiled graph, `command_line.md` the help of every command. `how_it_works.md` and `python_api.md`
are written by hand, but for the turns of the strategies, and for the choices and the state of a run, between two marks.
"""

import ast
import inspect
from dataclasses import Field, fields
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from typer.main import get_command

from route_sql.cli import app
from route_sql.graph import state
from route_sql.graph.context import Context
from route_sql.graph.strategies import ADAPTIVE, BEGIN, FOLLOWING, PAPER, Turn
from route_sql.graph.wiring import build_graph
from route_sql.tools.database.catalog import Catalog

HERE = Path(__file__).parent
WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT = 960, 88, 146, 36
TURNS = ("<!-- turns: made by generate.py -->", "<!-- turns end -->")
CHOICES = ("<!-- choices: made by generate.py -->", "<!-- choices end -->")
STATE = ("<!-- state: made by generate.py -->", "<!-- state end -->")
STYLE = (
    "text{font:14px system-ui,sans-serif;text-anchor:middle;fill:#1a1a2e}"
    "rect{fill:#f2f0ff;stroke:#7c6fd0}path{fill:none;stroke:#7c7c8f}.back{stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}rect{fill:#2b2750;stroke:#a79bf0}path{stroke:#a0a0b4}}"
)


def graph_svg() -> str:
    """The compiled graph as a picture: a node below those that lead to it, dashed lines for ways back."""
    drawn = build_graph(FakeListChatModel(responses=[]), Catalog({})).get_graph()
    edges = sorted({(edge.source, edge.target) for edge in drawn.edges if _is_drawn(edge.source, edge.target)})
    levels = _levels(edges, "__start__", "__end__")
    places = _places(levels)
    height = ROW * (max(levels.values()) + 1)
    lines = [_line(places[one], places[other]) for one, other in edges]
    boxes = [_box(name.strip("_"), *places[name]) for name in sorted(places)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    title = "<title>The graph of route-sql: its agents and the ways between them</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *lines, *boxes, "</svg>", ""])


def _is_drawn(source: str, target: str) -> bool:
    """Whether a way is drawn: an agent without SQL leads to the next turn, as `execute` does, which is left out."""
    return source not in FOLLOWING or target == "execute"


def _levels(edges: list[tuple[str, str]], start: str, end: str) -> dict[str, int]:
    """The row of each node: one below the first that leads to it; the answer and the end come last.

    A node that leads to others of its row has a row of its own above them.
    """
    last = {source for source, target in edges if target == end}
    inner = [edge for edge in edges if edge[1] not in (*last, end)]
    levels, front = {start: 0}, [start]
    while front:
        following = sorted({target for source, target in inner if source in front and target not in levels})
        leading = {source for source, target in inner if {source, target} <= {*following}}
        for row in (sorted(leading), sorted({*following} - leading)) if leading != {*following} else (following,):
            levels |= dict.fromkeys(row, max(levels.values()) + 1)
        front = following
    below = max(levels.values()) + 1
    return levels | {name: below for name in last} | {end: below + 1}


def _places(levels: dict[str, int]) -> dict[str, tuple[float, float]]:
    """The middle of each box. Rows of several boxes leave a slot free, so that no line to the answer crosses a box.

    A single box in a row that lines pass is there too.
    """
    rows: dict[int, list[str]] = {}
    for name, level in sorted(levels.items()):
        rows.setdefault(level, []).append(name)
    last = max(rows) - 1
    slots = {level: len(names) + (len(names) > 1) for level, names in rows.items()}
    free = WIDTH * slots[last - 1] / (slots[last - 1] + 1)
    aside = {level for level in rows if len(rows[level]) == 1 and 1 < level < last and len(rows[level - 1]) == 1}
    return {
        name: (
            free if level >= last or level in aside else WIDTH * (place + 1) / (slots[level] + 1),
            ROW * level + ROW / 2,
        )
        for level, names in rows.items()
        for place, name in enumerate(names)
    }


def _line(one: tuple[float, float], other: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = one, other
    if y2 > y1:
        y1, y2 = y1 + BOX_HEIGHT / 2, y2 - BOX_HEIGHT / 2
        bottom = min(y2, y1 + ROW - BOX_HEIGHT)  # below the next row a line goes straight down
        curve = f"C{x1:.0f} {y1 + 30:.0f} {x2:.0f} {bottom - 30:.0f} {x2:.0f} {bottom:.0f}"
        return f'<path d="M{x1:.0f} {y1:.0f} {curve} V{y2:.0f}"/>'
    y1, y2 = y1 - BOX_HEIGHT / 2, y2 + BOX_HEIGHT / 2
    bend = 24 if x1 >= x2 else -24
    return (
        f'<path class="back" d="M{x1 + bend:.0f} {y1:.0f} C{x1 + bend:.0f} {y1 - 30:.0f} '
        f'{x2 + bend:.0f} {y2 + 30:.0f} {x2 + bend:.0f} {y2:.0f}"/>'
    )


def _box(name: str, x: float, y: float) -> str:
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    box = f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>'
    return f'{box}<text x="{x:.0f}" y="{y + 5:.0f}">{escape(name)}</text>'


def command_line() -> str:
    """Every command with its arguments and options, as its help has them."""
    lines = ["# Command line", "", "Exit codes: 0 answered, 1 not answered, 2 wrong use.", ""]
    for name, command in _leaves(get_command(app), "route-sql"):
        lines += [f"## {name}", "", (command.help or "").strip().replace("\n\n", "\n"), ""]
        rows = [row for parameter in command.params if (row := _row(parameter))]
        lines += ["| option | means |", "| --- | --- |", *rows, ""] if rows else []
    return "\n".join(lines).rstrip() + "\n"


def _leaves(command: Any, name: str) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [(name, command)]
    return [leaf for key, each in inner.items() for leaf in _leaves(each, f"{name} {key}")]


def _row(parameter: Any) -> str | None:
    if "--help" in parameter.opts:
        return None
    is_argument = parameter.param_type_name == "argument"
    names = parameter.name.upper() if is_argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    text = " ".join((getattr(parameter, "help", None) or "").split())
    default = parameter.default
    is_shown = not is_argument and default not in (None, False, ()) and not callable(default)
    needed = " Required." if parameter.required else ""
    shown = f" Default: {default}." if is_shown and str(default) else ""
    return f"| `{names}` | {text}{needed}{shown} |".replace("\\|", "|")


def how_it_works() -> str:
    """The page as it is, with the turns of the strategies as they are in the code."""
    tables = [_turns("adaptive", ADAPTIVE), _turns("paper", PAPER)]
    single = f"`single` begins with {_begin('single')} and has no turns."
    return _between((HERE / "how_it_works.md").read_text(encoding="utf-8"), TURNS, *tables, single)


def python_api() -> str:
    """The page as it is, with the fields of `Context` and the keys of `State` as they are in the code."""
    page = (HERE / "python_api.md").read_text(encoding="utf-8")
    choices = ["| choice | default | means |", "| --- | --- | --- |", *(_choice(each) for each in fields(Context))]
    keys = ["| key | holds |", "| --- | --- |", *_keys_of_the_state()]
    return _between(_between(page, CHOICES, "\n".join(choices)), STATE, "\n".join(keys))


def _keys_of_the_state() -> list[str]:
    """A row for each key, with the text below it: Python keeps no docstring of a key."""
    (tree,) = (node for node in ast.parse(inspect.getsource(state)).body if getattr(node, "name", "") == "State")
    assert isinstance(tree, ast.ClassDef)
    return [
        f"| `{ast.unparse(key.target)}` | {' '.join(ast.literal_eval(text.value).split())} |"
        for key, text in pairwise(tree.body)
        if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr)
    ]


def _choice(field: Field[Any]) -> str:
    return f"| `{field.name}` | `{field.default!r}` | {field.metadata['description']} |"


def _between(page: str, marks: tuple[str, str], *parts: str) -> str:
    """A page with these parts between the marks."""
    head, rest = page.split(marks[0])
    _, tail = rest.split(marks[1])
    return "\n\n".join([f"{head}{marks[0]}", *parts, f"{marks[1]}{tail}"])


def _turns(name: str, turns: tuple[Turn, ...]) -> str:
    head = f"`{name}` begins with {_begin(name)}. Its turns:"
    rows = [f"| {place} | `{turn.agent}` | {_reason(turn)} | {_bound(turn)} |" for place, turn in enumerate(turns, 1)]
    return "\n".join([head, "", "| turn | agent | taken when | at most |", "| --: | --- | --- | --- |", *rows])


def _begin(name: str) -> str:
    return " and ".join(f"`{agent}`" for agent in BEGIN[name]) + (" side by side" if len(BEGIN[name]) > 1 else "")


def _reason(turn: Turn) -> str:
    return " ".join((turn.when.__doc__ or "").split()).rstrip(".")


def _bound(turn: Turn) -> str:
    if isinstance(turn.at_most, str):
        default = getattr(Context(), turn.at_most)
        return f"`{turn.at_most}` ({default})"
    return "" if turn.at_most is None else str(turn.at_most)


PAGES = {
    "graph.svg": graph_svg,
    "command_line.md": command_line,
    "how_it_works.md": how_it_works,
    "python_api.md": python_api,
}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
