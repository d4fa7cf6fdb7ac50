"""Options that several subcommands share, each worded once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from route_sql.graph.context import MOST_SAMPLES, AgentName, Context, Strategy
from route_sql.row_formats import RowFormat
from route_sql.tools.errors import InvalidInput
from route_sql.training.datasets.data_set import Layout

Db = Annotated[
    str,
    typer.Option(
        "--db",
        help="A SQLite or DuckDB file, a URL (sqlite, duckdb, postgresql, mysql, mariadb), or a name in databases.toml "
        "(ROUTE_SQL_DATABASES).",
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="default, base, base-1.5b, tiny, a GGUF file, a folder that `train export` wrote, or the URL of a server; "
        "several servers of one model have commas between them (ROUTE_SQL_MODEL).",
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE",
        help="A calibration that `train calibrate` wrote, in place of the model's own (ROUTE_SQL_CALIBRATION).",
    ),
]
StrategyName = Annotated[
    Strategy,
    typer.Option("--strategy", help="adaptive asks an agent only for a reason; paper asks all; single asks one."),
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="An agent to switch off, such as correct_noise; may be given several times."),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        "--max-tokens",
        min=1,
        help="Tokens of a reply at most; a model that thinks before it answers needs thousands (ROUTE_SQL_MAX_TOKENS).",
    ),
]
SampleCount = Annotated[
    int,
    typer.Option(
        "--samples",
        min=0,
        max=MOST_SAMPLES,
        help="Samples that a question in doubt gets; the result that most of them return is the answer.",
    ),
]
Withhold = Annotated[
    bool,
    typer.Option(
        "--withhold/--no-withhold",
        help="Give no SQL where the database probably has no answer; only adaptive does this.",
    ),
]
WithholdFrom = Annotated[
    float | None,
    typer.Option(
        "--withhold-from",
        min=0.0,
        max=1.0,
        help="Probability that the database has no answer from which no SQL is given, in place of the calibration's.",
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        "--min-confidence",
        help="Confidence, from 0 to 1, below which the answer's status is unsure; it keeps SQL and rows.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
RowsAs = Annotated[
    RowFormat | None,
    typer.Option(
        "--format",
        help="Print only the rows: as a table for people, as csv, json or markdown for programs; spreadsheet is CSV "
        "without formulas.",
    ),
]
LayoutOption = Annotated[
    Layout, typer.Option("--layout", help="Layout of the questions: spider, bird, or log for your own pairs.")
]
Questions = Annotated[Path, typer.Option(help="The questions with their SQL: JSON; for a log CSV or JSON Lines.")]
ServedDb = Annotated[
    str | None,
    typer.Option("--db", help="A file, a URL or a name in databases.toml; by default all of databases.toml."),
]
Host = Annotated[str, typer.Option(help="The address to listen on; other than loopback only with keys of callers.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        help="A further name that clients call the server by, as their Host header has it, such as sql.example or "
        "sql.example:8443.",
    ),
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", help="An origin whose pages may call the server, such as https://app.example."),
]
DATABASES_HELP = "The folder with one folder or file for each database; for a log also databases.toml."
DatabasesOption = Annotated[Path, typer.Option(help=DATABASES_HELP)]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="A random subset of this many questions.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the random subset.")]
Concurrency = Annotated[int, typer.Option("--concurrency", min=1, help="Questions asked at the same time.")]
ShardName = Annotated[
    str | None,
    typer.Option("--shard", help="Only a part of the questions, such as 2/4; `merge` makes one whole of all parts."),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray", help="A Ray cluster that works on the questions in parts, such as auto or ray://HOST:10001."),
]
Parts = Annotated[int | None, typer.Option(min=1, help="Parts for --ray; by default one for each processor there.")]


def check_one_form(**forms: bool | str | None) -> None:
    """Check that at most one of the options that choose the printed form was given.

    Raises:
        BadParameter: several were.
    """
    if len(given := [f"--{name.replace('_', '-')}" for name, value in forms.items() if value]) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} each print something else; give one", param_hint=given[0])


def chosen(
    strategy: Strategy,
    without: Sequence[str] | None,
    max_tokens: int | None = None,
    samples: int = 0,
    *,
    withhold: bool = True,
    withhold_from: float | None = None,
    min_confidence: float = 0.0,
) -> Context:
    """The run-time context of the options.

    Raises:
        InvalidInput: an unknown agent, a number out of its range, or an option without effect.
    """
    _check_effect(strategy, samples, withhold, withhold_from)
    return Context(
        strategy=strategy,
        without=cast("tuple[AgentName, ...]", tuple(without or ())),
        max_tokens=max_tokens,
        samples=samples,
        withhold=withhold,
        withhold_from=withhold_from,
        min_confidence=min_confidence,
    )


def _check_effect(strategy: Strategy, samples: int, withhold: bool, withhold_from: float | None) -> None:
    if withhold_from is not None and not withhold:
        raise InvalidInput("give --withhold-from or --no-withhold, not both")
    if samples and strategy != "adaptive":
        raise InvalidInput(f"--samples has no effect with --strategy {strategy}: only adaptive draws samples")
    if withhold_from is not None and strategy != "adaptive":
        raise InvalidInput(f"--withhold-from has no effect with --strategy {strategy}: only adaptive withholds SQL")
