"""Output of the commands of a run in two stages: our own errors are one line, not a traceback."""

import sys
from collections.abc import Callable

import typer

from route_sql.tools.errors import RouteError
from route_sql.tools.terminal import escaped


def print_line(text: str) -> None:
    """Print a text without anything that could trick a terminal."""
    typer.echo(escaped(text, lines=True))


def run_command(command: Callable[..., None]) -> None:
    """Run a command with the process's own arguments, and exit with its code: 2 after an error of ours."""
    try:
        typer.run(command)
    except RouteError as error:
        typer.echo(f"error: {escaped(str(error))}", err=True)
        sys.exit(2)
