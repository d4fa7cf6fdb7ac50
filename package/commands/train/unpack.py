"""`route-sql train unpack`: from a served model back to an adapter that can be tuned further."""

from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import console, say
from route_sql.progress import download_progress
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to `route-sql train`."""
    app.command()(unpack)


def unpack(
    out: Annotated[Path, typer.Option("--out", help="The folder for the folders base and adapter.")],
    model: Annotated[str, typer.Option(help="A name of the store, or a model folder.")] = "default",
    adapter_only: Annotated[bool, typer.Option("--adapter-only", help="Leave out the base, the larger part.")] = False,
) -> None:
    """Write a served model in the format of transformers and PEFT, to tune it further or to ask it in batches."""
    require_libraries()
    # needs torch, an optional library
    from route_sql.training.export.unpacking import unpack_model

    err = console(stderr=True, soft_wrap=True)
    with download_progress() as progress:
        found = ModelStore(Settings().cache).resolve(model, progress)
    done = unpack_model(found, out, base=not adapter_only, say=err.print)
    for folder in (done.base, done.adapter):
        if folder is not None:
            say(str(folder))
    if done.adapter is not None:
        say(f"tune it further: route-sql train sft --config F --adapter {done.adapter}")
