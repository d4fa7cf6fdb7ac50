"""The layers of a base model that an adapter must fit, read from its GGUF file without its weights."""

from dataclasses import dataclass
from pathlib import Path

import gguf

from route_sql.training.errors import TrainingError

# llama.cpp keeps the rotary halves of these interleaved, so the rows of their q and k are in another order than in
# transformers. Other architectures change other weights; none is let through that was not tried.
PERMUTED = {"llama": True, "qwen2": False, "qwen3": False}


@dataclass(frozen=True)
class BaseLayout:
    """The layers of a base model."""

    architecture: str
    layers: int
    heads: int
    kv_heads: int
    context: int
    """Context length in tokens."""
    shapes: dict[str, tuple[int, ...]]
    """The shape of each tensor, outputs x inputs, by its name in GGUF."""

    def __post_init__(self) -> None:
        """Refuse an architecture that was never tried.

        Raises:
            TrainingError: an architecture whose weights may be laid out otherwise than in transformers.
        """
        if self.architecture not in PERMUTED:
            raise TrainingError(
                f"no adapter can be written for the architecture {self.architecture!r}, only for "
                f"{', '.join(sorted(PERMUTED))}; merge it instead"
            )

    def tensor_name(self, module: str) -> str | None:
        """The GGUF name, without `.weight`, of a layer that transformers calls `module`; None if it is unknown."""
        architecture = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == self.architecture)
        name: str | None = gguf.get_tensor_name_map(architecture, self.layers).get_name(module)
        return name


def read_layout(base: Path) -> BaseLayout:
    """Read the layout of a GGUF model; takes seconds for a large vocabulary.

    Raises:
        TrainingError: it is not a GGUF model, or one whose architecture was never tried.
    """
    try:
        reader = gguf.GGUFReader(base)
    except (OSError, ValueError) as error:
        raise TrainingError(f"the base {base} is not a GGUF model that can be read: {error}") from error
    architecture = str(_value(reader, "general.architecture"))
    heads = int(_value(reader, f"{architecture}.attention.head_count"))
    return BaseLayout(
        architecture=architecture,
        layers=int(_value(reader, f"{architecture}.block_count")),
        heads=heads,
        kv_heads=int(_value(reader, f"{architecture}.attention.head_count_kv", default=heads)),
        context=int(_value(reader, f"{architecture}.context_length")),
        shapes={tensor.name: tuple(int(size) for size in reversed(tensor.shape)) for tensor in reader.tensors},
    )


def _value(reader: gguf.GGUFReader, key: str, default: int | None = None) -> str | int:
    field = reader.get_field(key)
    value = default if field is None else field.contents()
    if not isinstance(value, str | int):
        raise TrainingError(f"the base's GGUF file says {value!r} for {key}; name a plain model's file")
    return value
