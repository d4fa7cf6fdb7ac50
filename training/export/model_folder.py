"""Exports a trained adapter as a model folder that can be served: adapter, profile, card, and a merged model."""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from route_sql.graph.confidence import Calibration
from route_sql.serving.profile import Profile
from route_sql.serving.store.manifest import HubFile, ModelEntry
from route_sql.serving.store.model_folder import PROFILE, FileRecord, TunedModel, file_record, write_model_folder
from route_sql.serving.store.model_store import FetchProgress, ModelStore
from route_sql.tools.files import write_whole, written_whole
from route_sql.training.errors import TrainingError
from route_sql.training.evaluation.run_log import JSON
from route_sql.training.export.agreement import Agreement, agreement, load_conversations
from route_sql.training.export.gguf_adapter import AdapterPrecision, write_adapter
from route_sql.training.export.json_object import read_object
from route_sql.training.export.lora import read_lora
from route_sql.training.export.merged_check import MergedAnswer, check_merged
from route_sql.training.export.merged_layout import require_one_reading
from route_sql.training.export.merged_model import write_merged
from route_sql.training.export.model_card import BaseFacts, CardFacts, merged_card, model_card
from route_sql.training.rows.data_card import JSON_CARD, DataCard

ADAPTER, CARD, MERGED = "adapter.gguf", "MODEL_CARD.md", "merged"
HUB_CARD = "README.md"
"""The card inside the merged folder, by the name that model hubs read."""
RUN_SETTINGS, RUN_LOSSES = "run.yaml", "losses.csv"

Say = Callable[[str], None]
"""Called with each step of the export, as text for a person."""


@dataclass(frozen=True)
class AdapterBase:
    """The model that an adapter was trained on."""

    path: Path
    """A GGUF file, or a folder in transformers' layout, which can only be merged into."""
    facts: BaseFacts
    record: FileRecord | None
    """The record of the GGUF file; None for a folder."""
    name: str | None = None
    """The name in the model store."""
    profile: Profile = Profile()


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export."""

    merged: bool = False
    check: Path | None = None
    """A file of held-out training rows for the check; None exports without the check."""
    check_rows: int = 8
    title: str | None = None
    data: Sequence[Path] = ()
    """Folders with data cards, in addition to the one that the run's settings name."""
    figures: Path | None = None
    """A JSON object; see `CardFacts.figures`."""
    precision: AdapterPrecision = "float16"
    """The precision of the adapter's matrices."""
    calibration: Calibration | None = None
    """The calibration of the tuned model, for the profile of its folder."""


@dataclass(frozen=True)
class ExportResult:
    """The folder and its files, with the results of the checks."""

    folder: Path
    files: Sequence[str]
    agreement: Agreement | None
    merged: MergedAnswer | None = None
    """None if nothing was merged, or without the check."""


def find_base(name_or_path: str, store: ModelStore, progress: FetchProgress) -> AdapterBase:
    """The base by its name in the store, the path of its GGUF file, or that of its folder.

    Raises:
        TrainingError: it is a tuned model itself.
        ModelUnavailable: it can't be found or fetched.
    """
    path = Path(name_or_path)
    if name_or_path not in store.manifest and (path / "config.json").is_file():
        return AdapterBase(path, BaseFacts(path.resolve().name, None), record=None)
    model = store.resolve(name_or_path, progress)
    if model.profile.adapter is not None:
        raise TrainingError(f"{name_or_path} is a tuned model; name the base that the adapter was trained on")
    entry = store.manifest.get(name_or_path)
    record = FileRecord(entry.file, entry.size, entry.sha256) if entry else file_record(model.path)
    known = entry or _known(record, store)
    if known is None:
        return AdapterBase(model.path, BaseFacts(model.path.name, record.sha256), record, profile=model.profile)
    return AdapterBase(model.path, _facts(known), record, known.name, known.profile)


async def export_model(
    adapter: Path, base: AdapterBase, out: Path, options: ExportOptions, say: Say = lambda _: None
) -> ExportResult:
    """Write a model folder that may be named wherever a model is.

    The profile is written last. A folder without one is not a model folder, so an export that failed its check can't be
    served by mistake.

    Args:
        adapter: The folder that PEFT saved; the run's settings and losses are looked for in it and above it.
        base: The base that it was trained on, from `find_base`.
        out: The folder to write.
        options: Options of the export.
        say: Called with each step.

    Raises:
        TrainingError: the adapter doesn't fit the base or the format, the check failed, or a file can't be read.
        RuntimeMissing: the check needs the embedded server, which can't run here.
        ServerUnavailable: it did not start.
    """
    if base.record is None and not options.merged:
        raise TrainingError(
            f"the base {base.path} is a folder, which the embedded server can't load: name its GGUF file, or only merge"
        )
    if base.record is None and options.calibration is not None:
        raise TrainingError(
            "merged weights carry no calibration: name the base's GGUF file, or leave --calibration out"
        )
    answer: MergedAnswer | None = None
    facts = await asyncio.to_thread(_card_facts, adapter, base, options)
    await asyncio.to_thread(_begin, out)
    profile = base.profile
    if base.record is not None:
        facts, profile = await _export_adapter(adapter, base, out, options, facts, say)
    if options.merged:
        say("merging the adapter into the base")
        answer = await asyncio.to_thread(_merge, adapter, base.path, out, options, facts)
    await asyncio.to_thread(write_whole, out / CARD, model_card(facts))
    if base.record is not None:
        record = await asyncio.to_thread(file_record, out / ADAPTER)
        write_model_folder(out, TunedModel(base.record, record, profile, base.name))
    written = [name for name in (ADAPTER, PROFILE, CARD, MERGED) if (out / name).exists()]
    return ExportResult(out, written, facts.agreement, answer)


async def _export_adapter(
    adapter: Path, base: AdapterBase, out: Path, options: ExportOptions, facts: CardFacts, say: Say
) -> tuple[CardFacts, Profile]:
    say("writing the adapter for llama.cpp")
    layout = await asyncio.to_thread(write_adapter, adapter, base.path, out / ADAPTER, options.precision)
    calibration = asdict(options.calibration) if options.calibration else None
    context = min(base.profile.context, layout.context)
    profile = replace(base.profile, wording="tuned", context=context, calibration=calibration)
    if options.check is None:
        return facts, profile
    say("comparing the served adapter with what was trained")
    conversations = await asyncio.to_thread(load_conversations, options.check, options.check_rows)
    found = await agreement(conversations, adapter=adapter, base=base.path, served=out / ADAPTER, profile=profile)
    found.require()
    return replace(facts, agreement=found), profile


def _begin(out: Path) -> None:
    """Remove an earlier export, whose parts must not be mixed with ours."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if (out / MERGED).exists() and not (out / CARD).exists():
            raise TrainingError(f"{out / MERGED} is not of an earlier export; name another folder")
        shutil.rmtree(out / MERGED, ignore_errors=True)
        for name in (PROFILE, ADAPTER, CARD):
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise TrainingError(f"{out} can't be written: {error}; name another folder") from error


def _merge(adapter: Path, base: Path, out: Path, options: ExportOptions, facts: CardFacts) -> MergedAnswer | None:
    with written_whole(out / MERGED) as draft:
        write_merged(adapter, base, draft)
        require_one_reading(draft)
        answer = check_merged(draft, adapter, base) if options.check else None
        (draft / HUB_CARD).write_text(merged_card(facts), encoding="utf-8")
    return answer


def _card_facts(adapter: Path, base: AdapterBase, options: ExportOptions) -> CardFacts:
    settings = _run_settings(adapter)
    folders = [*options.data, *(folder for folder in _run_data(settings) if (folder / JSON_CARD).is_file())]
    return CardFacts(
        title=options.title or f"{base.facts.title}, tuned with route-sql",
        base=base.facts,
        lora=read_lora(adapter) if base.record else None,
        data=[cast(DataCard, read_object(folder / JSON_CARD)) for folder in dict.fromkeys(folders)],
        settings=settings,
        losses=_run_losses(adapter),
        figures=read_object(options.figures) if options.figures else {},
        merged=options.merged,
    )


def _run_settings(adapter: Path) -> Mapping[str, JSON]:
    """The settings that fine-tuning wrote; empty if another program trained the adapter."""
    import yaml

    path = _of_run(adapter, RUN_SETTINGS)
    if path is None:
        return {}
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TrainingError(f"the run's settings {path} can't be read: {error}") from error
    return settings if isinstance(settings, dict) else {}


def _run_data(settings: Mapping[str, JSON]) -> list[Path]:
    """The folders of rows that a run's settings name, as one text or a list."""
    run = settings.get("settings")
    named = run.get("data") if isinstance(run, Mapping) else None
    return [Path(name) for name in (named if isinstance(named, list) else [named]) if isinstance(name, str)]


def _run_losses(adapter: Path) -> list[dict[str, float | None]]:
    from route_sql.training.tuning.loss_log import read_losses  # needs transformers, an optional library

    path = _of_run(adapter, RUN_LOSSES)
    try:
        return read_losses(path) if path else []
    except (OSError, ValueError) as error:
        raise TrainingError(f"the run's losses {path} can't be read: {error}") from error


def _of_run(adapter: Path, name: str) -> Path | None:
    folders = (adapter.resolve(), adapter.resolve().parent)
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _known(record: FileRecord, store: ModelStore) -> ModelEntry | None:
    bare = (entry for entry in store.manifest.values() if entry.adapter is None)
    return next((entry for entry in bare if entry.sha256 == record.sha256), None)


def _facts(entry: ModelEntry) -> BaseFacts:
    hub = next((place.repo for place in entry.sources if isinstance(place, HubFile)), None)
    return BaseFacts(entry.title, entry.sha256, hub, entry.licence)
