"""Hostile files and a hostile model server: does each attempt end in time, in memory, and in one clear sentence?

    python benchmarks/safety/hostile.py [--kind files server] [--setting bare neither session guard both]

Each attempt runs in a process of its own, held to 1 GiB, once for each setting. A file is opened, its schema is read
and rendered for a prompt, and a query is run; a model server is asked once, for a whole answer or a stream. `bare` is a
careless program: SQLAlchemy's reflection or DuckDB in the same process, or an HTTP client that reads what comes. The
other settings are those of `run.py`; a model server has no layers, so that only `both` is tried there. Held: it ended
within the seconds and bytes that the table names, with an answer that is right, or an error of ours that is one line of
printable characters. Memory is what the process and those it started took beyond what they had, looked at every 20 ms.
Writes `hostile_files.md` and `hostile_server.md` next to this script, and exits with 1 if with both layers anything did
not hold.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from safety import hostile_files, hostile_server
from safety.statements import SECRET
from safety.trials import CONTEXT, MARGIN, Trial, tried
from safety.worker import LAYERS
from shared.heading import heading

SETTINGS = ("bare", *LAYERS)
FILE_SECONDS = 35.0
"""Reading a schema may take 30 s, opening and the query the rest."""
SERVER_SECONDS = hostile_server.BUDGET + MARGIN
FILE_MEMORY = 450_000_000
"""The query's 256 MB with 64 MB to spare, and the program's own part: its modules and the schema."""
SERVER_MEMORY = 200_000_000
TITLES = {"files": "Hostile files", "server": "A hostile model server"}
BOUNDS = {"files": (FILE_SECONDS, FILE_MEMORY), "server": (SERVER_SECONDS, SERVER_MEMORY)}
PATIENCE = 10.0
"""Seconds beyond the bound when an attempt is ended."""


def files(setting: str) -> Iterator[Trial]:
    """Every hostile file under one setting."""
    for group, name, make, must_read in hostile_files.cases():
        with TemporaryDirectory(prefix="hostile-") as folder, ExitStack() as stack:
            Path(folder, "secret.csv").write_text(SECRET)
            given = (str(make(Path(folder), stack)), setting, must_read)
            yield tried(group, name, setting, hostile_files.visit, given, FILE_SECONDS + PATIENCE)


def server(setting: str) -> Iterator[Trial]:
    """Every hostile reply under one setting."""
    for group, name, reply, is_stream in hostile_server.cases():
        stub = hostile_server.prepared(reply)
        given = (stub.url, setting, is_stream)
        yield tried(group, name, setting, hostile_server.call, given, SERVER_SECONDS + PATIENCE)
        stub.close()


def table(kind: str, trials: Sequence[Trial]) -> list[str]:
    """One line a group: how many attempts held under each setting, and what bounded them."""
    seconds, memory = BOUNDS[kind]
    settings = [setting for setting in SETTINGS if any(trial.setting == setting for trial in trials)]
    head = ["group", "attempts", *(f"held, {setting}" for setting in settings), "answered", "refused", "s", "MB"]
    lines = [f"## Hostile {kind}: at most {seconds:g} s and {memory / 1e6:.0f} MB", ""]
    lines += [f"| {' | '.join(head)} |", "| --- |" + " --: |" * (len(head) - 1)]
    for group in dict.fromkeys(trial.group for trial in trials):
        lines.append(_line(group, settings, [trial for trial in trials if trial.group == group], kind))
    return [*lines, _line("all", settings, trials, kind), ""]


def _line(group: str, settings: Sequence[str], trials: Sequence[Trial], kind: str) -> str:
    held = [sum(not trial.fault(*BOUNDS[kind]) for trial in trials if trial.setting == each) for each in settings]
    last = [trial for trial in trials if trial.setting == settings[-1]]
    ends = [sum(trial.end == end for trial in last) for end in ("answered", "refused")]
    most = [f"{max(trial.seconds for trial in last):.1f}", f"{max(trial.memory for trial in last) / 1e6:.0f}"]
    return f"| {' | '.join(map(str, (group, len(last), *held, *ends, *most)))} |"


def broken(kind: str, trials: Sequence[Trial], setting: str) -> list[str]:
    """Attempts that did not hold under a setting."""
    found = [trial for trial in trials if trial.setting == setting and trial.fault(*BOUNDS[kind])]
    return [
        f"{trial.group}, {trial.name}: {trial.fault(*BOUNDS[kind])}; {_lasting(trial.said)[:100]!a}" for trial in found
    ]


def _lasting(said: str) -> str:
    """A text with `DIR` for the folder of the attempt, whose name is another each time."""
    return re.sub(r"/\S*?/hostile-\w+", "DIR", said)


def report(kind: str, trials: Sequence[Trial]) -> str:
    """The whole text."""
    text = heading(TITLES[kind], "duckdb", "httpx2")
    text += f"\n\n{_LEGEND}\n\n"
    text += "\n".join(table(kind, trials)) + "\n"
    for setting in SETTINGS:
        if lines := broken(kind, trials, setting):
            text += "\n".join([f"Not held, {setting}:", "", "```text", *lines, "```", "", ""])
    return text.rstrip() + "\n"


def main() -> int:
    """Try everything and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", nargs="*", choices=BOUNDS, default=list(BOUNDS))
    parser.add_argument("--setting", nargs="*", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="The folder of the tables.")
    given = parser.parse_args()
    CONTEXT.set_forkserver_preload(["safety.hostile_files", "safety.hostile_server"])
    done: dict[str, list[Trial]] = {kind: [] for kind in given.kind}
    for kind, trials in done.items():
        place = given.out / f"hostile_{kind}.md"
        for setting in given.setting:
            if kind == "files" or setting in ("bare", "both"):
                trials += (files if kind == "files" else server)(setting)
            if trials:
                place.write_text(report(kind, trials))
        print(place.read_text())
    return any(broken(kind, trials, "both") for kind, trials in done.items())


_LEGEND = """\
One process an attempt, held to 1 GiB. *Held*: it ended within the bounds, with a right answer or one clear sentence.
The columns from `answered` on are of the last setting; `s` and `MB` are the most of any attempt. `bare` is a careless
program, which shows that the attacks are real; see `hostile.py` for what each setting is."""

if __name__ == "__main__":
    sys.exit(main())
