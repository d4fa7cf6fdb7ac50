"""The story of a run on standard error: lines, and a live spinner where it is a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from route_sql.graph.events import Event
from route_sql.printing import complain, console
from route_sql.serving.store.model_store import FetchProgress
from route_sql.tools.terminal import escaped


class Narrator:
    """Prints the events of a run.

    On a terminal the beginning of a step is a spinner's text, and so is the word that it still works.
    """

    def __init__(self, out: Console | None) -> None:
        """Print on a console; None prints nothing."""
        self._out = out
        self._spinner: Status | None = None

    def tell(self, event: Event) -> None:
        """Print an event."""
        if self._out is None:
            return
        passes = event["kind"] in ("begin", "load", "work")
        if self._out.is_terminal and passes:
            self._spin(event)
        else:
            complain(line_of(event), style="dim")

    def wait_for_bar(self, progress: FetchProgress) -> FetchProgress:
        """The callback of a progress bar, which the spinner makes room for."""

        def update(done: int, total: int, source: str) -> None:
            self.stop()
            progress(done, total, source)

        return update

    def stop(self) -> None:
        """Remove the spinner; the beginning of the next step brings it back."""
        if self._spinner is not None:
            self._spinner.stop()
            self._spinner = None

    def _spin(self, event: Event) -> None:
        text = line_of(event)
        if self._spinner is not None:
            self._spinner.update(text)
        elif self._out is not None and event["kind"] != "work":
            self._spinner = Status(text, console=self._out)
            self._spinner.start()


@contextmanager
def narrator(*, is_quiet: bool = False) -> Iterator[Narrator]:
    """A narrator on standard error; a quiet one prints nothing."""
    told = Narrator(None if is_quiet else console(stderr=True))
    try:
        yield told
    finally:
        told.stop()


def line_of(event: Event) -> str:
    """An event as one line: the seconds, the text, and the SQL that was just written."""
    sql = f": {' '.join(event['sql'].split())}" if event["kind"] == "write" and event["sql"] else ""
    return escaped(f"{event['seconds']:6.1f} s  {event['text']}{sql}")
