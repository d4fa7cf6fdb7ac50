"""The command `route-sql`: subcommands, and exceptions turned into messages and exit codes.

Exit codes: 0 answered, 1 not answered, 2 wrong use.
"""

import sys
from collections.abc import Sequence

import typer
from rich.console import Console

from route_sql.commands.ask import ask
from route_sql.commands.check import check
from route_sql.commands.demo import demo
from route_sql.commands.doctor import doctor
from route_sql.commands.evaluate import evaluate, score
from route_sql.commands.run import run
from route_sql.commands.schema import schema
from route_sql.commands.serve import serve
from route_sql.commands.train import train
from route_sql.serving.errors import ContextExceeded, ServerRefused, ServerUnavailable
from route_sql.tools.errors import RouteError

app = typer.Typer(
    name="route-sql",
    help="Ask a database a question; a team of agents answers with SQL that was executed, judged and mended.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(ask)
app.command()(schema)
app.command()(check)
app.command()(run)
app.command()(serve)
app.command()(doctor)
app.command()(demo)
app.command(name="eval")(evaluate)
app.command()(score)
app.add_typer(train, name="train")

NOT_ANSWERED = (ServerUnavailable, ServerRefused, ContextExceeded)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, by default with the process's own arguments, and leave with its exit code."""
    try:
        app(arguments)
    except RouteError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1 if isinstance(error, NOT_ANSWERED) else 2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
