"""`route-sql train export`: from a trained adapter to a served model."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from route_sql.calibration_file import read_calibration_file
from route_sql.printing import console, say
from route_sql.progress import download_progress
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command()(export)


def export(
    adapter: Annotated[Path, typer.Option(help="The folder of the adapter, as PEFT saved it.")],
    base: Annotated[str, typer.Option(help="Its base: base, base-1.5b, tiny, or a path to a GGUF file.")],
    out: Annotated[Path, typer.Option("--out", help="The model folder, for --model.")],
    merged: Annotated[bool, typer.Option("--merged", help="Also write merged weights, for GPU servers.")] = False,
    check: Annotated[
        Path | None, typer.Option(help="Held-out rows of `train data`: compare trainer and server on them.")
    ] = None,
    check_rows: Annotated[int, typer.Option(min=1, help="Number of rows to compare.")] = 8,
    data: Annotated[list[Path] | None, typer.Option(help="A folder with a data card, for the model card.")] = None,
    figures: Annotated[Path | None, typer.Option(help="A JSON object of measured figures, for the model card.")] = None,
    precision: Annotated[
        Literal["q8_0", "float16", "float32"], typer.Option(help="Precision of the adapter; q8_0 is the smallest.")
    ] = "float16",
    calibration: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A calibration of this model, which the folder then carries.")
    ] = None,
    card_title: Annotated[str | None, typer.Option(help="The title of the model card.")] = None,
) -> None:
    """Turn a trained adapter into a model folder: the adapter for llama.cpp, its profile and its model card."""
    require_libraries()
    # needs torch, an optional library
    from route_sql.training.export.model_folder import ExportOptions, export_model, find_base

    numbers = read_calibration_file(calibration)
    err = console(stderr=True, soft_wrap=True)
    with download_progress() as progress:
        found = find_base(base, ModelStore(Settings().cache), progress)
    options = ExportOptions(merged, check, check_rows, card_title, data or (), figures, precision, numbers)
    done = asyncio.run(export_model(adapter, found, out, options, say=err.print))
    say(f"{done.folder} holds {', '.join(done.files)}")
    checked = [f"checked: {found}" for found in (done.agreement, done.merged) if found]
    for line in checked or ["not checked: --check FILE proves that it is right"]:
        say(line)
    if found.record is not None:
        say(f"try it: route-sql demo --model {done.folder}")
