"""The command `route-sql` and its subcommands."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

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
from route_sql.exit_codes import run_app
from route_sql.printing import say

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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, by default with the process's own arguments, and exit with its code."""
    run_app(app, arguments)


if __name__ == "__main__":
    main()
