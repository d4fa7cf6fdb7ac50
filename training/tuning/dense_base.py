"""The base as a folder that loads in seconds: joined from pieces, and its weights made dense once for all stages.

The weights are those of the GGUF file that is served, so that the adapter fits the very model that it will run on.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from route_sql.tools.files import written_whole
from route_sql.training.tuning.base_model import load_base, tokenizer_folder
from route_sql.training.tuning.pieces import join_file


@dataclass(frozen=True)
class BaseLocation:
    """The place of the base: a folder in transformers' layout, or a GGUF file, which may be in pieces.

    `pieces` is the folder with the pieces of the file, written by `pieces.split_file`. `tokenizer` is the folder with
    its tokenizer; None reads it from the file.
    """

    model: Path
    pieces: Path | None = None
    tokenizer: Path | None = None


def dense_base(base: BaseLocation, out: Path) -> Path:
    """The folder with the base's weights and tokenizer: its own, or for a GGUF file `out`, which is made.

    Raises:
        TrainingError: pieces are missing or damaged, or there is no tokenizer.
    """
    file = base.model
    if file.is_dir():
        return file
    if not file.is_file() and base.pieces:
        file = join_file(file.name, base.pieces, file)
    with written_whole(out) as draft:
        load_base(file, torch.bfloat16).save_pretrained(draft)
        shutil.copytree(tokenizer_folder(file, base.tokenizer), draft, dirs_exist_ok=True)
    return out
