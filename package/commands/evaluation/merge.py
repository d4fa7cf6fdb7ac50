"""`route-sql merge`: the shards of an evaluation as one run, or those of a training set as one set."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.commands.data_card import print_card
from route_sql.commands.options import AsJson
from route_sql.printing import console, say_json
from route_sql.tools.terminal import escaped
from route_sql.training.evaluation.figures.report import summary_table
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.merging import merge_shards
from route_sql.training.rows.data_card import DataCard
from route_sql.training.rows.joining import join_sets


def merge(
    shards: Annotated[
        list[Path], typer.Argument(help="All files of `eval --shard`, or all folders of `train data --shard`.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the whole run or set goes.")],
    as_json: AsJson = False,
) -> None:
    """Merge the shards of an evaluation or of a training set into what one machine would have written."""
    if all(shard.is_dir() for shard in shards):
        _print_set(join_sets(shards, out), as_json)
        return
    summary = summarise(merge_shards(shards, out))
    if as_json:
        say_json({**summary})
    else:
        console().print(summary_table({escaped(out.stem): summary}))


def _print_set(card: DataCard, as_json: bool) -> None:
    if as_json:
        say_json(card)
    else:
        print_card(card)
