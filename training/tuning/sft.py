"""Multitask supervised fine-tuning on TRL, PEFT and accelerate (MSFT in ROUTE, arXiv 2412.10138).

One process or many: distribution is accelerate's, so the same call serves `accelerate launch`. Every process calls
`fine_tune`; only the first one writes, except for the shards of DeepSpeed and FSDP.
"""

import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, set_seed
from trl import SFTConfig, SFTTrainer

from route_sql.tools.files import draft_of, put_in_place
from route_sql.training.errors import TrainingError
from route_sql.training.resumable import OneWriter
from route_sql.training.tuning.base_model import load_tokenizer, model_to_tune
from route_sql.training.tuning.config import SFTRun
from route_sql.training.tuning.loss_log import TABLE, LossLog, OnStep, read_losses
from route_sql.training.tuning.loss_plot import plot_losses
from route_sql.training.tuning.prompt_trees.mix import mix_trees
from route_sql.training.tuning.prompt_trees.trainer import TreeTrainer, keep_freed_memory, one_pack
from route_sql.training.tuning.run_record import (
    FINAL,
    PLOT,
    check_same_run,
    clear_run,
    last_checkpoint,
    run_settings,
    write_record,
)
from route_sql.training.tuning.task_mix import Mix, data_files, file_digests, mix_tasks

_TREES = {"remove_unused_columns": False, "dataset_kwargs": {"skip_prepare_dataset": True}, "bf16": False}
"""Arguments that make TRL leave packs of trees alone; the layers choose the dtypes of their products."""


def fine_tune(run: SFTRun, *, resume: bool = True, progress: OnStep | None = None) -> Path:
    """Tune a model on the tasks' rows.

    Blocks for as long as training takes. The folder `run.out`, which all processes must share, then holds `final/`
    with the adapter, or the model if all weights were tuned, and its tokenizer; `losses.csv`, `losses.png`; `run.yaml`
    with the settings as run, versions, rows and tokens; and the last checkpoints.

    Args:
        run: The settings.
        resume: Resume from the last checkpoint in the folder, or start again; a finished run is returned as it is.
        progress: Called with the steps done, all steps and the last losses.

    Returns:
        The folder.

    Raises:
        TrainingError: the settings, the data, the base and the folder don't fit each other, or another process is
            training there.
    """
    with _without_known_warnings():
        # Before any model is loaded: it starts the process group and announces DeepSpeed's shards to the loader.
        arguments = trainer_arguments(run)
        with _alone(Path(run.out), arguments):
            return _fine_tune(run, arguments, resume, progress)


def _fine_tune(run: SFTRun, arguments: SFTConfig, resume: bool, progress: OnStep | None) -> Path:
    out = Path(run.out)
    if run.as_trees and arguments.world_size > 1:
        raise TrainingError("packing as trees is for one process; set packing: true for several")
    with arguments.main_process_first(local=False):
        digests = file_digests(data_files(run))
        settings = run_settings(run, digests, arguments.world_size)
        _open_folder(out, settings, resume, arguments)
        if (out / FINAL).is_dir():
            return out
        tokenizer = load_tokenizer(Path(run.base), Path(run.tokenizer) if run.tokenizer else None)
        mix = mix_trees(run, tokenizer) if run.as_trees else mix_tasks(run, tokenizer, out, digests)
        if arguments.process_index == 0:
            write_record(out, settings, data=mix.counts)
    trainer = _trainer(run, arguments, mix, tokenizer, progress)
    checkpoint = last_checkpoint(out)
    done = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _evaluate_at_end(trainer, mix)
    _save(trainer, out, run)
    if arguments.process_index == 0:
        plot_losses(read_losses(out / TABLE), out / PLOT, title=Path(run.base).stem)
        write_record(out, settings, data=mix.counts, result=_result(trainer, done.metrics))
    return out


def trainer_arguments(run: SFTRun) -> SFTConfig:
    """A run's settings in TRL's words.

    Raises:
        TrainingError: `trainer` has a key that SFTConfig lacks, or that a setting of ours decides.
    """
    ours = _arguments(run)
    unknown = sorted(run.trainer.keys() - {argument.name for argument in fields(SFTConfig)})
    decided = sorted(run.trainer.keys() & ours.keys())
    if unknown or decided:
        said = [f"{name} is not an argument of SFTConfig" for name in unknown]
        said += [f"{name} is decided by the run's own settings" for name in decided]
        raise TrainingError(f"trainer: {'; '.join(said)}")
    return SFTConfig(**ours, **run.trainer)


def _arguments(run: SFTRun) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available()
    held_out = any(Path(name).match("*.eval.jsonl") for name in data_files(run))
    return {
        "output_dir": run.out,
        "per_device_train_batch_size": run.batch,
        "per_device_eval_batch_size": run.batch,
        "gradient_accumulation_steps": run.accumulation,
        "learning_rate": run.lr,
        "lr_scheduler_type": run.scheduler,
        "warmup_steps": run.warmup_ratio,  # below 1 it is a share
        "weight_decay": run.weight_decay,
        "num_train_epochs": run.epochs or 1.0,
        "max_steps": run.max_steps or -1,
        "max_length": run.max_length,
        "packing": run.packing is True,
        "packing_strategy": "bfd",
        "bf16": run.dtype == "bf16" and on_gpu,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "gradient_checkpointing": run.gradient_checkpointing,
        "seed": run.seed,
        "logging_steps": run.log_steps,
        "logging_nan_inf_filter": False,  # a loss that is not a number must be visible
        "save_strategy": "steps",
        "save_steps": run.save_steps,
        "save_total_limit": run.keep_checkpoints,
        "eval_strategy": "steps" if held_out else "no",
        "eval_steps": run.eval_steps,
        "ddp_find_unused_parameters": False,
        "report_to": [],
        "disable_tqdm": True,
        **(_TREES if run.as_trees else {}),
    }


def _open_folder(out: Path, settings: dict[str, Any], resume: bool, arguments: SFTConfig) -> None:
    if arguments.process_index == 0 and not resume:
        clear_run(out)
    check_same_run(out, settings)


def _trainer(run: SFTRun, arguments: SFTConfig, mix: Mix, tokenizer: Any, progress: OnStep | None) -> SFTTrainer:
    # The new adapter is drawn before the trainer sets the seed itself.
    set_seed(run.seed)
    model, adapter = model_to_tune(run)
    if run.as_trees and arguments.use_cpu:
        keep_freed_memory()
    trainer = (TreeTrainer if run.as_trees else SFTTrainer)(
        model=model,
        args=arguments,
        train_dataset=mix.train,
        eval_dataset=mix.held_out or None,
        processing_class=tokenizer,
        peft_config=adapter,
        data_collator=one_pack if run.as_trees else None,
        callbacks=[LossLog(Path(run.out) / TABLE, list(mix.held_out), progress)],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _evaluate_at_end(trainer: SFTTrainer, mix: Mix) -> None:
    evaluated = [entry["step"] for entry in trainer.state.log_history if any(key.startswith("eval_") for key in entry)]
    if mix.held_out and trainer.state.global_step not in evaluated:
        trainer.evaluate()


def _save(trainer: SFTTrainer, out: Path, run: SFTRun) -> None:
    # Every process writes into the draft, so no block of one process holds it.
    draft = draft_of(out / FINAL)
    trainer.save_model(str(draft))
    trainer.accelerator.wait_for_everyone()
    if trainer.args.process_index == 0:
        wanted = "adapter_model.*" if run.lora else "model*.safetensors"
        if not any(draft.glob(wanted)):
            raise TrainingError(
                f"{draft} holds no whole weights: have DeepSpeed gather them "
                "(stage3_gather_16bit_weights_on_model_save), or FSDP save a full state dict "
                "(fsdp_state_dict_type: FULL_STATE_DICT), and run again"
            )
        put_in_place(draft, out / FINAL)
    trainer.accelerator.wait_for_everyone()


def _result(trainer: SFTTrainer, metrics: dict[str, float]) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available()
    return {
        "steps": trainer.state.global_step,
        "trained_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "seconds": round(metrics.get("train_runtime", 0.0), 1),
        "device": torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine(),
        "gpu_memory_peak": torch.cuda.max_memory_allocated() if on_gpu else None,
        "losses": _last_losses(trainer.state.log_history),
    }


def _last_losses(history: list[dict[str, float]]) -> dict[str, float]:
    last: dict[str, float] = {}
    for entry in history:
        last.update({key: value for key, value in entry.items() if key == "loss" or key.endswith("_loss")})
    last.pop("train_loss", None)
    return last


@contextmanager
def _without_known_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        # TRL uses a name that transformers has deprecated.
        warnings.filterwarnings("ignore", message=r".*(gradient|activation)_checkpointing", category=FutureWarning)
        yield


@contextmanager
def _alone(out: Path, arguments: SFTConfig) -> Iterator[None]:
    if arguments.process_index:
        yield
        return
    with OneWriter(out, "folder", TrainingError):
        yield
