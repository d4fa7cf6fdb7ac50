"""The base as a folder that loads in seconds: joined from pieces, its weights made dense once and not at each stage.

The weights are those of the GGUF file that is served, so that the adapter fits the very model that it will run on.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GgufConfig

from route_sql.training.tuning.base_model import tokenizer_folder
from route_sql.training.tuning.pieces import join_file


@dataclass(frozen=True)
class Base:
    """Where the base is: a folder in transformers' layout, or a GGUF file, which may be in pieces.

    `pieces` is the folder with the pieces of the file, as `pieces.split_file` writes them, `tokenizer` the folder with
    its tokenizer, without which it is read from the file.
    """

    model: Path
    pieces: Path | None = None
    tokenizer: Path | None = None


def dense_base(base: Base, out: Path) -> Path:
    """The folder with the base's weights and tokenizer: its own, or for a GGUF file `out`, which is made.

    Raises:
        TrainingError: pieces are missing or damaged, or there is no tokenizer.
    """
    file = base.model
    if file.is_dir():
        return file
    if not file.is_file() and base.pieces:
        file = join_file(file.name, base.pieces, file)
    draft = out.with_name(f"{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        local_files_only=True,
    )
    model.save_pretrained(draft)
    given = str(base.tokenizer) if base.tokenizer else None
    shutil.copytree(tokenizer_folder(file, given), draft, dirs_exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    draft.rename(out)
    return out
