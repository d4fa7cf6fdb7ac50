"""The settings of one fine-tuning run, as one YAML file holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from route_sql.training.errors import TrainingError

_T = TypeVar("_T")

CONFIGS = Path(__file__).parents[1] / "configs"

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True)
class LoRA:
    """A low-rank adapter; its change is scaled by `alpha` over `rank`, or over the root of `rank` if `rslora`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    rank: PositiveInt = 32
    alpha: PositiveInt = 64
    dropout: Fraction = 0.05
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """All linear layers but the head, or the names of modules."""
    rslora: bool = False


@dataclass(frozen=True)
class SFTRun:
    """Settings of one run. Lengths are in tokens, steps are optimizer steps."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    base: str
    """The base: a folder in transformers' layout or a GGUF file; on the command line also a name of the model store."""
    data: str | Annotated[tuple[str, ...], Field(min_length=1)]
    """The folder that `route-sql train data` made, or several; the rows of a task in all of them are drawn together."""
    tasks: Annotated[dict[str, PositiveFloat], Field(min_length=1)]
    """Weights of the tasks: how often a row is drawn from a task, relative to the others. An epoch ends when every row
    of every task was seen, so rows of a task with a high weight are repeated."""
    out: str
    """The folder of the run."""
    lora: LoRA | None = field(default_factory=LoRA)
    """None tunes all weights."""
    adapter: str | None = None
    """The folder of an adapter to tune further, of the same rank, alpha and kind as `lora`."""
    tokenizer: str | None = None
    """A folder with the base's tokenizer; by default the base's own, which takes long to read from a GGUF file."""
    lr: PositiveFloat = 2e-4
    scheduler: str = "cosine"
    """One of transformers' names."""
    warmup_ratio: Fraction = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    epochs: PositiveFloat | None = None
    max_steps: PositiveInt | None = None
    """Instead of `epochs`."""
    max_length: PositiveInt = 4096
    """The most tokens of a row, and of a pack; a longer row is refused, never cut."""
    batch: PositiveInt = 1
    """Rows, or packs of `max_length`, per device and step."""
    accumulation: PositiveInt = 1
    packing: bool | Literal["trees"] = True
    """Rows one after the other in a pack. With `trees`, rows share their common beginning, which saves most of the
    computation; it needs one process, a LoRA without dropout, and `batch` 1."""
    kinds: dict[str, Annotated[float, Field(ge=0, le=1)]] = field(default_factory=dict)
    """Only with `trees`: the share of rows that is used, for each kind of row that is not used whole."""
    dtype: Literal["bf16", "fp32"] = "bf16"
    """Precision: on a GPU bf16 is mixed precision, on a CPU it holds for the frozen weights alone."""
    attention: str = "sdpa"
    """transformers' `attn_implementation`; packs of trees have their own."""
    gradient_checkpointing: bool = False
    seed: int = 0
    log_steps: PositiveInt = 10
    save_steps: PositiveInt = 100
    """Steps between checkpoints; a multiple of `log_steps`, or a resumed run would log other averages."""
    eval_steps: PositiveInt = 100
    eval_rows: PositiveInt | None = None
    """The most held-out rows of a task on which the loss is computed; None takes all."""
    keep_checkpoints: PositiveInt = 2
    trainer: dict[str, Any] = field(default_factory=dict)
    """Further arguments of TRL's SFTConfig, passed on as they are: deepspeed, fsdp, fsdp_config, accelerator_config,
    ddp_backend, optim, max_grad_norm, ..."""

    def __post_init__(self) -> None:
        """Check the fields against each other.

        Raises:
            TrainingError: both or neither of `epochs` and `max_steps`; steps that don't fit each other; an adapter
                where all weights are tuned.
        """
        if (self.epochs is None) == (self.max_steps is None):
            raise TrainingError("name either epochs or max_steps")
        if self.save_steps % self.log_steps:
            raise TrainingError(f"save_steps is {self.save_steps}; make it a multiple of log_steps, {self.log_steps}")
        if self.as_trees and (self.batch != 1 or self.lora is None or self.lora.dropout):
            raise TrainingError("packing as trees wants batch: 1 and a lora with dropout: 0")
        if self.kinds and not self.as_trees:
            raise TrainingError("kinds is for packing: trees alone")
        if self.adapter and self.lora is None:
            raise TrainingError(
                "an adapter can't be tuned further where all weights are tuned; drop adapter or set lora"
            )

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the rows."""
        return tuple(map(Path, [self.data] if isinstance(self.data, str) else self.data))

    @property
    def as_trees(self) -> bool:
        """Whether rows are packed as prompt trees."""
        return self.packing == "trees"


_RUN = TypeAdapter(SFTRun)


def load_run(path: Path, overrides: Mapping[str, str | list[str]] | None = None) -> SFTRun:
    """Read a run's settings.

    Args:
        path: A YAML file, or the name of one of ours (`tiny-smoke`).
        overrides: Values that replace the file's, by key.

    Raises:
        TrainingError: there is no such file, it is not YAML, or keys are unknown, missing or of a wrong kind.
    """
    return checked(_RUN, {**read_config(path), **(overrides or {})}, str(find_config(path)))


def read_config(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file, or of one of ours by its name, unchecked.

    Raises:
        TrainingError: there is no such file, or it is not YAML with keys and values.
    """
    import yaml

    file = find_config(path)
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{file} is not YAML: {error}") from error
    if not isinstance(settings, dict):
        raise TrainingError(f"{file} should hold keys and values, such as `base: default`")
    return settings


def find_config(path: Path) -> Path:
    """The file of a path, or of the name of one of ours.

    Raises:
        TrainingError: there is none.
    """
    if path.is_file():
        return path
    ours = CONFIGS / f"{path.name}.yaml"
    if path.name == str(path) and ours.is_file():
        return ours
    known = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.yaml")))
    raise TrainingError(f"there is no config {path}; name a YAML file, or one of {known}")


def checked(kind: TypeAdapter[_T], settings: Mapping[str, Any], where: str) -> _T:
    """Settings as the record of their kind.

    Raises:
        TrainingError: keys are unknown, missing or of a wrong kind; the message begins with `where`.
    """
    try:
        return kind.validate_python(settings)
    except ValidationError as error:
        said = "; ".join(_sentence(problem["loc"], problem["msg"], problem["type"]) for problem in error.errors())
        raise TrainingError(f"{where}: {said}") from error
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from error


def _sentence(location: tuple[int | str, ...], message: str, kind: str) -> str:
    key = ".".join(map(str, location))
    texts = {"unexpected_keyword_argument": "is not a setting", "missing": "is missing"}
    return f"{key} {texts.get(kind, f'is wrong: {message[:1].lower()}{message[1:]}')}"
