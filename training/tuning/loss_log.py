"""The losses of a run as a table that is rewritten with every log, so that a killed run keeps them."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from route_sql.tools.files import written_whole

TABLE = "losses.csv"

OnStep = Callable[[int, int, str], None]
"""Called with the steps done, all steps, and the newest losses as text, or an empty text."""


def eval_column(task: str) -> str:
    """The name under which a trainer logs the loss on a task's held-out rows."""
    return f"eval_{task}_loss"


class LossLog(TrainerCallback):
    """Keeps the table up to date and reports the progress."""

    def __init__(self, file: Path, tasks: Sequence[str], progress: OnStep | None) -> None:
        """`tasks` are those with held-out rows."""
        self._file = file
        self._columns = ["step", "epoch", "loss", "learning_rate", "grad_norm", *map(eval_column, tasks)]
        self._progress = progress

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Report the number of steps."""
        if self._progress and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, "")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report the step."""
        if self._progress and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, "")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write the table and report the losses."""
        if not state.is_world_process_zero:
            return
        write_losses(self._file, state.log_history, self._columns)
        known = logs or {}
        said = [f"{name} {known[name]:.4f}" for name in self._columns if "loss" in name and name in known]
        if self._progress and said:
            self._progress(state.global_step, state.max_steps, ", ".join(said))


def write_losses(file: Path, history: Iterable[Mapping[str, float]], columns: Sequence[str]) -> None:
    """Write a trainer's log, one line a step."""
    lines: dict[float, dict[str, float]] = {}
    for entry in history:
        known = {name: entry[name] for name in columns if name in entry}
        lines.setdefault(entry["step"], {}).update(known)
    with written_whole(file) as draft, draft.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, columns, lineterminator="\n")
        writer.writeheader()
        # The last entry of a run has a time and no loss.
        writer.writerows(line for line in lines.values() if line.keys() - {"step", "epoch"})


def read_losses(file: Path) -> list[dict[str, float | None]]:
    """The table's lines; None where a step has no such value."""
    with file.open(encoding="utf-8", newline="") as opened:
        return [
            {name: float(value) if value else None for name, value in line.items()} for line in csv.DictReader(opened)
        ]
