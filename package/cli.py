"""The command `route-sql`: subcommands, and exceptions turned into messages and exit codes.

Exit codes: 0 answered, 1 not answered, 2 wrong use.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer
from typer.rich_utils import rich_format_error

from route_sql.commands.api import api
from route_sql.commands.ask import ask
from route_sql.commands.chat import chat
from route_sql.commands.check import check
from route_sql.commands.demo import demo
from route_sql.commands.doctor import doctor
from route_sql.commands.evaluation.compare import compare
from route_sql.commands.evaluation.evaluate import evaluate, score
from route_sql.commands.evaluation.merge import merge
from route_sql.commands.evaluation.reliability import show_reliability
from route_sql.commands.mcp import mcp
from route_sql.commands.renamed import RenamedLayout
from route_sql.commands.run import run
from route_sql.commands.save import save
from route_sql.commands.schema import schema
from route_sql.commands.serve import serve
from route_sql.commands.train.group import train
from route_sql.graph.replaying import Diverged
from route_sql.printing import allow_any_encoding, complain, say
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable
from route_sql.tools.errors import RouteError
from route_sql.tools.terminal import escaped

app = typer.Typer(
    name="route-sql",
    help="Ask a database a question; a team of agents returns SQL that was executed, checked and repaired.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(is_asked: bool) -> None:
    if is_asked:
        say(version("route-sql"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Ask a database a question; a team of agents returns SQL that was executed, checked and repaired."""


app.command()(ask)
app.command()(chat)
app.command()(schema)
app.command()(check)
app.command()(run)
app.command()(save)
app.command()(serve)
app.command()(mcp)
app.command()(api)
app.command()(doctor)
app.command()(demo)
app.command(name="eval", cls=RenamedLayout)(evaluate)
app.command(cls=RenamedLayout)(score)
app.command()(merge)
app.command(cls=RenamedLayout)(compare)
app.command(name="reliability")(show_reliability)
app.add_typer(train, name="train")

NOT_ANSWERED = (ServerUnavailable, ServerRefused, ContextExceeded, Diverged)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, by default with the process's own arguments, and leave with its exit code."""
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
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
