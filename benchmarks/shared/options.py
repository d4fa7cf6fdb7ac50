"""Options that choose the questions and the model of a benchmark."""

import argparse
from pathlib import Path

from route_sql.settings import Settings
from route_sql.training.datasets.data_set import DataSet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--layout", choices=("spider", "bird"), default="spider", help="Layout and measure of the data set.")
    add("--questions", type=Path, required=True)
    add("--databases", type=Path, required=True)
    add("--limit", type=int, default=None, help="Number of questions to draw; by default all.")
    add("--seed", type=int, default=0, help="Seed of the drawn questions.")
    add("--out", type=Path, default=Path("runs"), help="Folder for the lines of the runs.")
    add("--model", default=None, help="A name, a file, a folder or a URL, as for the command line.")
    add("--base", type=Path, help="A base in the layout of transformers, asked in batches, in place of --model.")
    add("--adapter", type=Path, help="An adapter of --base that PEFT saved.")
    add("--concurrency", type=int, default=1, help="Questions asked at the same time.")


def data_set_of(arguments: argparse.Namespace) -> DataSet:
    """The questions that the options choose."""
    chosen = {"limit": arguments.limit, "seed": arguments.seed}
    return DataSet(arguments.layout, arguments.questions, arguments.databases, **chosen)


def named(arguments: argparse.Namespace) -> str:
    """The name of the model in the settings of a run."""
    return f"{arguments.base} with {arguments.adapter}" if arguments.base else arguments.model or Settings().model
