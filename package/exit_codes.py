"""Runs a Typer app, whose exceptions become messages and exit codes.

Exit codes: 0 answered, 1 not answered, 2 wrong use.
"""

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer
from typer.rich_utils import rich_format_error

from route_sql.graph.replaying import Diverged
from route_sql.printing import allow_any_encoding, complain
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable
from route_sql.tools.errors import RouteError
from route_sql.tools.terminal import escaped

FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_ANSWERED = (ServerUnavailable, ServerRefused, ContextExceeded, Diverged)


def run_app(app: typer.Typer, arguments: Sequence[str] | None) -> None:
    """Run an app, by default with the process's own arguments, and exit with its code."""
    allow_any_encoding()
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        # Wrong use is shown as typer shows it, but its message repeats what was typed.
        error.message = escaped(error.message, lines=True)
        rich_format_error(error)  # type: ignore[arg-type]
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(1)
    except RouteError as error:
        complain(f"error: {error}")
        sys.exit(1 if isinstance(error, NOT_ANSWERED) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if error.errno not in FULL:
            raise
        _drop_output()
        complain(f"error: the output can't be written: {error.strerror}")
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _drop_output() -> None:
    """Send the rest of the output nowhere; Python would try to write it once more at its end."""
    with suppress(OSError, ValueError):  # a replaced standard output may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
