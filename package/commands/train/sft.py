"""`route-sql train sft`: tune a model on the rows that `route-sql train data` made."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from route_sql.printing import say
from route_sql.progress import StepProgress, download_progress, step_progress
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.training.tuning.config import load_run
from route_sql.training.tuning.libraries import require_libraries


def register(app: typer.Typer) -> None:
    """Add the command to a group."""
    app.command()(sft)


def sft(
    config: Annotated[
        Path,
        typer.Option(help="A run's settings, YAML; or the name of one in training/configs, such as qwen-0.5b-lora."),
    ],
    base: Annotated[
        str | None, typer.Option(help="base, base-1.5b, tiny, a GGUF file, or a model's folder; replaces the config's.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of the rows; replaces the config's.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder of the run; replaces the config's.")] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="The folder of an adapter to start from; replaces the config's.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Resume from the last checkpoint, or start again.")] = True,
) -> None:
    """Tune a model on the rows of the tasks.

    On several GPUs: accelerate launch -m route_sql train sft --config F
    """
    require_libraries()
    given = {"base": base, "data": data, "out": out, "adapter": adapter}
    overrides = {key: str(value) for key, value in given.items() if value}
    run = load_run(config, overrides)
    overrides["base"] = _local_base(run.base)
    _go_offline(config, overrides, resume)
    if _is_first():
        with step_progress() as progress:
            say(str(_tuned(config, overrides, resume, progress) / "final"))
    else:
        _tuned(config, overrides, resume, None)


def _local_base(name: str) -> str:
    """The path of a base; a name of the store is fetched. For a tuned model it is the weights below its adapter."""
    if Path(name).is_file() or (Path(name) / "config.json").is_file():
        return name
    with download_progress() as progress:
        return str(ModelStore(Settings().cache).resolve(name, progress).path)


def _go_offline(config: Path, overrides: dict[str, str], resume: bool) -> None:
    """Replace this process by one whose libraries never ask a hub; they read the variable on import."""
    if os.environ.get("HF_HUB_OFFLINE"):
        return
    options = [part for key, value in overrides.items() for part in (f"--{key}", value)]
    command = [sys.executable, "-m", "route_sql", "train", "sft", "--config", str(config), *options]
    sys.stdout.flush()
    os.execve(
        sys.executable,
        command if resume else [*command, "--no-resume"],
        {**os.environ, "HF_HUB_OFFLINE": "1"},
    )


def _is_first() -> bool:
    """Whether this process prints: it is the only one, or the first by the launcher's numbers."""
    return os.environ.get("RANK", "0") == "0"


def _tuned(config: Path, overrides: dict[str, str], resume: bool, progress: StepProgress | None) -> Path:
    from datasets import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar

    # needs torch, an optional library
    from route_sql.training.tuning.sft import fine_tune

    disable_progress_bars()
    disable_progress_bar()
    return fine_tune(load_run(config, overrides), resume=resume, progress=progress)
