"""Progress bars on standard error; none where it is not a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from route_sql.printing import console
from route_sql.serving.store.model_store import FetchProgress
from route_sql.tools.terminal import escaped

StepProgress = Callable[[int, int, str], None]
"""Called with the optimizer steps done, the steps in all, and a text or nothing."""


@contextmanager
def download_progress() -> Iterator[FetchProgress]:
    """A callback (bytes done, bytes in all, source) that draws a bar from its first call on."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    out = console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task("model", visible=False)

        def update(done: int, total: int, source: str) -> None:
            said = escaped(f"fetching the model from {source}")
            bar.update(task, completed=done, total=total, description=said, visible=True)

        yield update


@contextmanager
def question_progress() -> Iterator[Callable[[int, int, int], None]]:
    """A callback (questions done, questions in all, right answers)."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as bar:
        task = bar.add_task("questions", total=None)

        def update(done: int, total: int, right: int) -> None:
            bar.update(task, completed=done, total=total, description=f"{right} right")

        yield update


@contextmanager
def count_progress(noun: str, *, is_quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A callback (number done, number in all) that counts things of a kind, such as questions."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), disable=is_quiet) as bar:
        task = bar.add_task(noun, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def step_progress() -> Iterator[StepProgress]:
    """A callback that draws a bar from its first call on, and prints a text above it."""
    columns = (TextColumn("steps"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as bar:
        steps = bar.add_task("steps", total=None, visible=False)

        def update(done: int, total: int, said: str) -> None:
            bar.update(steps, completed=done, total=total, visible=True)
            if said:
                bar.console.print(f"step {done}: {said}")

        yield update
