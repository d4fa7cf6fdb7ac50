"""The group of commands `route-sql train`."""

import typer

from route_sql.commands.train import average, calibrate, data, export, replies, sft, two_stages, unpack

train = typer.Typer(help="Make training data, tune a model, export it.", no_args_is_help=True)


@train.callback()
def _group() -> None:
    """Make training data, tune a model, export it."""


for command in (data, replies, sft, two_stages, average, export, unpack, calibrate):
    command.register(train)
