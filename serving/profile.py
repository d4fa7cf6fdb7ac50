"""Profile of a model: plain settings for running and prompting it, stored next to its file."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

PromptWording = Literal["instruct", "tuned"]


@dataclass(frozen=True)
class Profile:
    """Settings of one model; plain JSON, so that a trained model's folder can hold it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    context: int = 8192
    """Tokens of one slot, prompt and answer together."""
    slots: int = 1
    """Requests computed at once. Two cores are full with one, and slots don't share their prefixes."""
    threads: int | None = None
    """Threads that decode; None takes as many as suit the machine's cores."""
    threads_batch: int | None = None
    """Threads that read the prompt; None takes as many as suit the machine's cores."""
    cache_ram_mib: int = 512
    """Bound, in MiB, of the prompts kept in RAM, so that one slot can serve several databases."""
    wording: PromptWording = "instruct"
    """The one of an agent's two prompts that the model was made for."""
    temperature: float = 0.0
    no_extra_bufts: bool = False
    """True keeps no repacked copy of the weights: a third less memory, decoding somewhat slower."""
    adapter: str | None = None
    """Path of a GGUF LoRA adapter that is applied to the base model; None for the base alone."""
    calibration: dict[str, Any] | None = None
    """Numbers that make a probability of an answer's signals, as `train calibrate` writes them; None without any."""
    adapter_scale: float = 1.0
    """Fixed at start: the prompt caches don't know of adapters, so switching them gives wrong answers."""
