"""`python -m route_sql.training.two_stages.pack RUN OUT`: the results of a run so far, in a few small files."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Annotated

import typer

from route_sql.tools.files import write_whole
from route_sql.training.errors import TrainingError
from route_sql.training.tuning.adapter_files import CONFIG, WEIGHTS
from route_sql.training.tuning.pieces import join_file, split_file
from route_sql.training.tuning.run_record import FINAL, last_checkpoint
from route_sql.training.two_stages.terminal import print_line, run_command

ADAPTER = "adapter.tar"
LOGS = "logs.tar.xz"
PIECE = 15 << 20
_KEPT = ("*.json", "*.jsonl", "rows/data_card.*", "*/losses.*", "*/run.yaml")


def pack_results(run: Path, out: Path, piece: int = PIECE) -> Path:
    """Write the newest adapter, in pieces of at most `piece` bytes, and the logs, losses, replies and scores.

    The adapter is stage two's, or its last checkpoint; before stage two, stage one's. It is written in 16 bits.

    Returns:
        The folder of the adapter that was taken.

    Raises:
        TrainingError: the run has no adapter yet; the logs are written all the same.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out / LOGS, "w:xz") as logs:
        for file in sorted(file for pattern in _KEPT for file in run.glob(pattern)):
            logs.add(file, file.relative_to(run))
    adapter = _newest_adapter(run)
    draft = run / "packed"
    shutil.rmtree(draft, ignore_errors=True)
    _write_half(adapter, draft / "adapter")
    with tarfile.open(draft / ADAPTER, "w") as packed:
        packed.add(draft / "adapter", "adapter")
    split_file(draft / ADAPTER, out, piece)
    shutil.rmtree(draft)
    return adapter


def unpack_adapter(folder: Path, out: Path) -> Path:
    """The adapter whose pieces are in a folder, as PEFT saves it; returns its folder below `out`.

    Raises:
        TrainingError: pieces are missing or damaged.
    """
    file = join_file(ADAPTER, folder, out / ADAPTER)
    with tarfile.open(file) as packed:
        packed.extractall(out, filter="data")
    file.unlink()
    return out / "adapter"


def _newest_adapter(run: Path) -> Path:
    second = run / "stage-two"
    found = [second / FINAL, last_checkpoint(second), *sorted(run.glob(f"stage-one-*/{FINAL}"))]
    for folder in found:
        if folder and (folder / WEIGHTS).is_file():
            return folder
    raise TrainingError(f"{run} has no adapter yet; wait for the end of stage one")


def _write_half(adapter: Path, out: Path) -> None:
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True)
    save_file({name: tensor.half() for name, tensor in load_file(adapter / WEIGHTS).items()}, out / WEIGHTS)
    config = json.loads((adapter / CONFIG).read_text(encoding="utf-8"))
    # Where the base was on that machine says nothing here.
    write_whole(out / CONFIG, json.dumps({**config, "base_model_name_or_path": None}, indent=1) + "\n")


def main(
    run: Annotated[Path, typer.Argument(help="The folder of the run.")],
    out: Annotated[Path, typer.Argument(help="Where the files go.")],
) -> None:
    """Pack the results of a run so far."""
    print_line(f"packed {pack_results(run, out)}")


if __name__ == "__main__":
    run_command(main)
