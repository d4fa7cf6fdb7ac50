"""Commands run on a real terminal of their own."""

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress


def on_a_terminal(*arguments: object, columns: int = 80) -> str:
    """Output of a command on a terminal of its own."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "route_sql", *map(str, arguments)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b"".join(_until_closed(ours))
    process.wait()
    os.close(ours)
    return written.decode()


def _until_closed(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # Linux's word for a terminal whose other end is closed
        while piece := os.read(terminal, 65536):
            yield piece
