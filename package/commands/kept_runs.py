"""Options of `ask` for runs that are kept: a page, a recording, and the replay of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from route_sql.graph.recording import FILE, Recording, read_recording, write_recording
from route_sql.graph.replaying import Diverged, replay_run
from route_sql.graph.state import State
from route_sql.narration import Narrator
from route_sql.pages.files import require_writable, write_page
from route_sql.pages.run_page import run_page
from route_sql.printing import complain
from route_sql.tools.errors import InvalidInput

ReportTo = Annotated[
    Path | None, typer.Option(help="Write a self-contained HTML page of the run, with prompts and replies.")
]
RecordTo = Annotated[
    Path | None,
    typer.Option(help="Write prompts, replies and outcomes into this folder, for a bug report or a test."),
]
ReplayOf = Annotated[
    Path | None,
    typer.Option(
        "--replay",
        help="Run the graph on a recording, without model and database; exit code 1 and a line for each divergence.",
    ),
]

RECORDED = frozenset(
    "db evidence model calibration strategy without max_tokens samples withhold min_confidence save_to".split()
)
"""Options of `ask` that a recording decides."""


@dataclass(frozen=True)
class EndedRun:
    """A run that has its answer."""

    state: State
    divergences: Sequence[str] = ()
    """Those of a replay."""
    recording: Recording | None = None

    def keep(self, record: Path | None, report: Path | None) -> None:
        """Write the recording and the page, where they are wanted.

        Raises:
            InvalidInput: one of them can't be written.
        """
        if record is not None and self.recording is not None:
            write_recording(record, self.recording)
        if report is not None:
            write_page(report, run_page(self.state))


def check_asked(question: str, db: str) -> None:
    """Check that there are a question and a database.

    Raises:
        BadParameter: one of them is missing.
    """
    if not question.strip():
        raise typer.BadParameter("the question is empty", param_hint="QUESTION")
    if not db:
        raise typer.BadParameter("name the database to ask", param_hint="--db")


def check_places(ctx: typer.Context) -> None:
    """Check the options of kept runs, and the places that they name, before anything is asked.

    Raises:
        InvalidInput: a place can't be written, or options contradict each other.
    """
    report, record, replay = (ctx.params[name] for name in ("report", "record", "replay"))
    _check_replay(ctx)
    if record is not None and replay is not None:
        raise InvalidInput("--record and --replay contradict each other; a replay asks no model")
    if record is not None and (record.is_file() or (record / FILE).exists()):
        raise InvalidInput(f"{record} is a file or holds a recording already; name another folder")
    if report is not None:
        require_writable(report)


def _check_replay(ctx: typer.Context) -> None:
    """Check that a replay is given no option that its recording decides."""
    given = [param.opts[0] for param in ctx.command.params if param.name in RECORDED and _was_given(ctx, param.name)]
    if ctx.params["replay"] is not None and given:
        raise InvalidInput(f"--replay takes the whole run from its recording; leave out {', '.join(given)}")


def _was_given(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


async def replayed(folder: Path, question: str, narrating: Narrator) -> EndedRun:
    """Replay a run; each divergence is printed on standard error.

    Raises:
        InvalidInput: the folder has no recording, or one of another question.
        Diverged: the replay could not go through.
    """
    recording = read_recording(folder)
    if question.strip() and question != recording["question"]["question"]:
        raise InvalidInput(f"the recording is of another question: {recording['question']['question']}")
    replay = await replay_run(recording, tell=narrating.tell)
    narrating.stop()
    for divergence in replay.divergences:
        complain(f"diverged: {divergence}")
    if replay.state is None:
        raise Diverged("the replay ended before its answer; the lines above say where it diverged")
    return EndedRun(replay.state, replay.divergences)
