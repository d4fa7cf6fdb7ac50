"""`route-sql merge`: the shards of an evaluation as one run."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.options import AsJson
from route_sql.printing import console, say_json
from route_sql.tools.terminal import escaped
from route_sql.training.evaluation.figures.report import summary_table
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.merging import merge_shards


def merge(
    shards: Annotated[list[Path], typer.Argument(help="The files that `eval --shard` wrote, all of them.")],
    out: Annotated[Path, typer.Option("--out", help="The file of the whole run's lines.")],
    as_json: AsJson = False,
) -> None:
    """Merge the shards of an evaluation into the run that one machine would have written."""
    summary = summarise(merge_shards(shards, out))
    if as_json:
        say_json({**summary})
    else:
        console().print(summary_table({escaped(out.stem): summary}))
