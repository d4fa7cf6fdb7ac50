"""Options that several subcommands share, each worded once."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.graph.context import Strategy

Db = Annotated[
    str,
    typer.Option("--db", help="A database file, a URL, or a name in databases.toml (ROUTE_SQL_DATABASES)."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="default, better, tiny, a path to a GGUF file, or the URL of a server (ROUTE_SQL_MODEL).",
    ),
]
StrategyName = Annotated[
    Strategy,
    typer.Option("--strategy", help="adaptive asks an agent only for a reason; paper asks all; single asks one."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Format = Annotated[str, typer.Option("--format", help="The layout of the data set: spider or bird.")]
Questions = Annotated[Path, typer.Option("--questions", help="The data set's questions, a JSON file.")]
Databases = Annotated[Path, typer.Option("--databases", help="The folder with one folder a database.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="A random subset of this many questions.")]
Seed = Annotated[int, typer.Option("--seed", help="Which random subset.")]
