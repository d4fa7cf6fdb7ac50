"""Converts a LoRA of PEFT to the GGUF adapter that llama.cpp loads on top of a base, and back.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and llama.cpp's `llama-adapter.cpp` for the names
of its tensors. The base is the GGUF file that will be served, since the names and shapes of that one must fit.
"""

from pathlib import Path
from typing import Literal

import gguf
import numpy as np

from route_sql.tools.files import written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.export.gguf_base import PERMUTED, BaseLayout, read_layout
from route_sql.training.export.lora import Lora, LowRank, Matrix, read_lora

AdapterPrecision = Literal["q8_0", "float16", "float32"]
"""`q8_0` is eight bits a number and a scale for each 32, half the size of `float16`."""
_TYPES = {
    "q8_0": gguf.GGMLQuantizationType.Q8_0,
    "float16": gguf.GGMLQuantizationType.F16,
    "float32": gguf.GGMLQuantizationType.F32,
}
_LAYERS = (
    *("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
)
"""The linear layers of the architectures that were tried, by their names in transformers."""


def write_adapter(adapter: Path, base: Path, out: Path, precision: AdapterPrecision = "float16") -> BaseLayout:
    """Write the GGUF adapter; the same input gives the same bytes.

    Args:
        adapter: The folder that PEFT saved.
        base: The GGUF file of the base.
        out: The file to write; it is there whole or not at all.
        precision: The precision of the matrices; the smallest is enough if the base's own weights have four bits.

    Returns:
        The layout of the base.

    Raises:
        TrainingError: the adapter is more than plain LoRA, or is not for this base, or can't be of this precision.
    """
    lora, layout = read_lora(adapter), read_layout(base)
    tensors = gguf_tensors(lora, layout)
    with written_whole(out) as draft:
        writer = gguf.GGUFWriter(draft, layout.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, lora.alpha)
        for name, tensor in tensors.items():
            writer.add_tensor(name, _rounded(name, tensor, precision), raw_dtype=_TYPES[precision])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return layout


def read_adapter(file: Path, base: Path) -> Lora:
    """Read a GGUF adapter that `write_adapter` wrote, with the numbers rounded to its precision.

    Args:
        file: The adapter.
        base: The GGUF file of the base.

    Raises:
        TrainingError: it is not a GGUF adapter, or not one of this base, or changes other layers than linear ones.
    """
    try:
        reader = gguf.GGUFReader(file)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} is not a GGUF adapter that can be read: {error}") from error
    alpha = reader.get_field(gguf.Keys.Adapter.LORA_ALPHA)
    if alpha is None:
        raise TrainingError(f"{file} is a GGUF file, but not a LoRA adapter; name the adapter of a tuned model")
    tensors = {each.name: gguf.quants.dequantize(each.data, each.tensor_type) for each in reader.tensors}
    return _as_in_transformers(tensors, float(alpha.contents()), read_layout(base))


def _as_in_transformers(tensors: dict[str, Matrix], alpha: float, layout: BaseLayout) -> Lora:
    modules: dict[str, LowRank] = {}
    left = dict(tensors)
    for layer in range(layout.layers):
        for name in _LAYERS:
            module = f"model.layers.{layer}.{name}"
            tensor = f"{layout.tensor_name(module)}.weight"
            if {f"{tensor}.lora_a", f"{tensor}.lora_b"} <= left.keys():
                a, b = left.pop(f"{tensor}.lora_a"), left.pop(f"{tensor}.lora_b")
                modules[module] = LowRank(a, _in_base_order(module, b, layout, back=True))
                _fitting_name(module, modules[module], layout)
    ranks = {pair.a.shape[0] for pair in modules.values()} | {pair.b.shape[1] for pair in modules.values()}
    if left or len(ranks) != 1:
        odd = next(iter(left), f"matrices of the ranks {sorted(ranks)}")
        raise TrainingError(f"the adapter is not one pair of matrices of one rank a linear layer of this base: {odd}")
    return Lora(ranks.pop(), alpha, {module: modules[module] for module in sorted(modules)})


def gguf_tensors(lora: Lora, layout: BaseLayout) -> dict[str, Matrix]:
    """The tensors of a GGUF adapter by name: `.lora_a` is rank x inputs, `.lora_b` outputs x rank.

    Raises:
        TrainingError: the adapter is not for a base of this layout.
    """
    tensors: dict[str, Matrix] = {}
    for module, pair in lora.modules.items():
        name = _fitting_name(module, pair, layout)
        tensors[f"{name}.lora_a"] = pair.a
        tensors[f"{name}.lora_b"] = _in_base_order(module, pair.b, layout)
    return tensors


def _fitting_name(module: str, pair: LowRank, layout: BaseLayout) -> str:
    known = layout.tensor_name(module)
    name = f"{known}.weight"
    if known is None or name not in layout.shapes:
        raise TrainingError(
            f"the adapter is not for this base, or not for llama.cpp: the base has no layer {module} of its own"
        )
    wanted, have = layout.shapes[name], (pair.b.shape[0], pair.a.shape[1])
    if wanted != have:
        raise TrainingError(
            f"the adapter was trained on another base: {module} is {have[0]} x {have[1]} there and "
            f"{wanted[0]} x {wanted[1]} in this one; name the base that it was trained on"
        )
    return name


def _in_base_order(module: str, b: Matrix, layout: BaseLayout, *, back: bool = False) -> Matrix:
    heads = {"q_proj": layout.heads, "k_proj": layout.kv_heads}.get(module.rpartition(".")[2])
    return _interleaved(b, heads, back) if heads and PERMUTED[layout.architecture] else b


def _interleaved(rows: Matrix, heads: int, back: bool) -> Matrix:
    """Interleave the two halves of each head's rows, or undo it with `back`."""
    half = rows.shape[0] // heads // 2
    halves = rows.reshape(heads, *((half, 2) if back else (2, half)), rows.shape[1])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _rounded(name: str, matrix: Matrix, precision: AdapterPrecision) -> np.ndarray:
    if precision == "q8_0":
        if matrix.shape[-1] % 32:
            raise TrainingError(f"{name} has rows of {matrix.shape[-1]} numbers, no multiple of 32; write float16")
        blocks: np.ndarray = gguf.quants.quantize(np.ascontiguousarray(matrix, dtype=np.float32), _TYPES[precision])
        return blocks
    dtype = np.dtype(precision)
    if np.abs(matrix).max(initial=0.0) > np.finfo(dtype).max:
        raise TrainingError(f"the adapter's values for {name} are too large for {dtype}; write float32")
    return np.ascontiguousarray(matrix.astype(dtype))
