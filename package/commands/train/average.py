"""`route-sql train average`: an adapter between two of one line of training."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import say
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command()(average)


def average(
    before: Annotated[Path, typer.Option(help="The folder of the adapter that the later run resumed.")],
    after: Annotated[Path, typer.Option(help="The folder of the later adapter.")],
    out: Annotated[Path, typer.Option("--out", help="The folder of the new adapter.")],
    share: Annotated[float, typer.Option(min=0.0, max=1.0, help="Weight of the later adapter.")] = 0.5,
) -> None:
    """Average the weights of an adapter and of one that resumed it, to keep what both are good at."""
    require_libraries()
    # needs torch, an optional library
    from route_sql.training.export.averaging import average_adapters

    average_adapters(before, after, share, out)
    say(str(out))
    say(f"export it: route-sql train export --adapter {out} --base BASE --out MODEL")
