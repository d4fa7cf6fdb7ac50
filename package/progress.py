"""Progress bars on standard error; none where it is not a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from route_sql.printing import console
from route_sql.serving.store.model_store import Progress as Fetching
from route_sql.tools.terminal import escaped

COLUMNS = (
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    DownloadColumn(),
    TransferSpeedColumn(),
    TimeRemainingColumn(),
)


@contextmanager
def download_progress() -> Iterator[Fetching]:
    """A callback (bytes done, bytes in all, source) that draws a bar from its first call on."""
    with Progress(*COLUMNS, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("model", visible=False)

        def update(done: int, total: int, source: str) -> None:
            said = escaped(f"fetching the model from {source}")
            bar.update(task, completed=done, total=total, description=said, visible=True)

        yield update
