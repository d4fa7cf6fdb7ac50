"""The model card: the origin and purpose of a tuned model, as Markdown next to it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from route_sql.training.evaluation.run_log import JSON
from route_sql.training.export.agreement import Agreement
from route_sql.training.export.lora import Lora
from route_sql.training.rows.data_card import DataCard
from route_sql.training.rows.row_files import current_names

_SOURCES = {
    "spider": "Spider (Yu et al., EMNLP 2018)",
    "bird": "BIRD (Li et al., NeurIPS 2023)",
    "log": "our own query log",
}
_SHARE_ALIKE = (
    "Data under CC BY-SA 4.0 asks whoever passes on something made of it to name it and to keep its licence. Whether "
    "that reaches the weights learned from it is not settled; name the data sets in any case."
)
_LIMITS = (
    "It was tuned for four tasks on SQL: writing a query, linking a schema, judging a query, continuing one. For "
    "anything else take its base.",
    "It was tuned on the prompts of route-sql, byte for byte. With other prompts it does worse, maybe worse than "
    "those of its base.",
    "A query that runs may still answer another question than the one asked. Read the SQL before you act on the rows.",
    "It knows the dialects, the domains and the language of its training data. What the figures don't name was not "
    "measured.",
    "It protects nothing: whatever it writes has to pass a guard and run in a session that can't write.",
)

_SERVING = """
## To serve it

Serve it under a name that begins with `route-sql`: from the name, route-sql knows that the model was tuned for its
short prompts. With another name, set `ROUTE_SQL_WORDING=tuned`.

    vllm serve FOLDER --served-model-name route-sql --max-model-len 8192 --enable-prompt-tokens-details
    python -m sglang.launch_server --model-path FOLDER --served-model-name route-sql --context-length 8192 \\
        --enable-cache-report

text-generation-inference names a model by its path, so mount the folder as `/route-sql`:

    text-generation-launcher --model-id /route-sql --dtype bfloat16 --max-input-tokens 7935 --max-total-tokens 8192

`route-sql doctor --model URL` shows the name, the context and the wording.
"""


@dataclass(frozen=True)
class BaseFacts:
    """The base of a tuned model."""

    title: str
    sha256: str | None
    """The SHA-256 of its GGUF file; None for a folder."""
    source: str | None = None
    """The repository that it comes from."""
    licence: str | None = None


@dataclass(frozen=True)
class CardFacts:
    """Known facts about a tuned model; the card says for an empty one that it is not known."""

    title: str
    base: BaseFacts
    lora: Lora | None = None
    data: Sequence[DataCard] = ()
    settings: Mapping[str, JSON] = field(default_factory=dict)
    """Settings of the run, as fine-tuning wrote them."""
    losses: Sequence[Mapping[str, float | None]] = ()
    agreement: Agreement | None = None
    figures: Mapping[str, JSON] = field(default_factory=dict)
    """Measured figures by run, each a mapping of names to values, or plain values."""
    merged: bool = False


def model_card(facts: CardFacts) -> str:
    """The card as Markdown, with a head in YAML as model hubs read it."""
    sections = {
        f"# {facts.title}": _summary(facts),
        "## Base": _base(facts.base),
        "## Training data": _data(facts.data),
        "## Training": _training(facts),
        "## Figures": _figures(facts.figures),
        "## Is the export right?": _agreement(facts.agreement),
        "## What it can't do": [f"- {limit}" for limit in _LIMITS],
    }
    parts = ["\n".join([heading, "", *lines]) for heading, lines in sections.items()]
    return "\n\n".join([_head(facts.base), *parts]) + "\n"


def merged_card(facts: CardFacts) -> str:
    """The card of the merged folder, which says how to serve it."""
    return model_card(replace(facts, lora=None, merged=False)) + _SERVING


def _head(base: BaseFacts) -> str:
    named = [f"base_model: {json.dumps(base.source)}"] if base.source else []
    return "\n".join(["---", *named, "pipeline_tag: text-generation", "tags: [text-to-sql, route-sql]", "---"])


def _summary(facts: CardFacts) -> list[str]:
    kind = "A low-rank adapter" if facts.lora else "A model"
    lines = [f"{kind} for text-to-SQL with route-sql, on top of {facts.base.title}."]
    if facts.lora:
        lines += ["", "Run it with `route-sql ask QUESTION --db FILE --model FOLDER`, where FOLDER is this one."]
    if facts.merged:
        lines += [
            "",
            "`merged/` holds adapter and base in one, for servers with a GPU; its README says how to serve it.",
        ]
    return lines


def _base(base: BaseFacts) -> list[str]:
    lines = [f"- model: {base.title}", f"- licence: {base.licence or 'not known here; its authors say'}"]
    lines += [f"- repository: {base.source}"] if base.source else []
    return lines + ([f"- SHA-256 of its file: `{base.sha256}`; the adapter is for no other"] if base.sha256 else [])


def _data(cards: Sequence[DataCard]) -> list[str]:
    if not cards:
        return ["Not known: no data card was named."]
    lines = ["| source | licence | examples | rows for training | held out |", "| --- | --- | ---: | ---: | ---: |"]
    for card in cards:
        source = str(current_names(card["settings"]).get("layout", "unnamed"))
        rows = {
            split: sum(file["rows"] for file in card["files"].values() if file["split"] == split)
            for split in ("train", "eval")
        }
        counts = f"{card['examples']} | {rows['train']} | {rows['eval']}"
        lines.append(f"| {_SOURCES.get(source, source)} | {card['licence']} | {counts} |")
    return lines + (["", _SHARE_ALIKE] if any("BY-SA" in card["licence"] for card in cards) else [])


def _training(facts: CardFacts) -> list[str]:
    lines = []
    if facts.lora:
        alpha = f"{facts.lora.alpha:g}"
        lines = [f"LoRA of rank {facts.lora.rank}, alpha {alpha}, on {len(facts.lora.modules)} linear layers.", ""]
    flat = [f"- {name}: {value}" for name, value in _flat(facts.settings)]
    lines += flat or ["The settings of the run were not kept."]
    return lines + ["", *_losses(facts.losses)]


def _losses(losses: Sequence[Mapping[str, float | None]]) -> list[str]:
    names = list(dict.fromkeys(name for line in losses for name in line if "loss" in name))
    rows = []
    for name in names:
        known = [(line["step"], value) for line in losses if (value := line.get(name)) is not None]
        if known:
            first, last = known[0], known[-1]
            least = min(known, key=lambda pair: pair[1])
            cells = (f"{value:.4f} ({step:.0f})" for step, value in (first, least, last))
            rows.append(f"| {name} | {' | '.join(cells)} |")
    if not rows:
        return ["Its losses were not kept."]
    return ["| loss (step) | first | least | last |", "| --- | ---: | ---: | ---: |", *rows]


def _figures(figures: Mapping[str, JSON]) -> list[str]:
    if not figures:
        return ["None were measured. Without them there is no reason to prefer this model to its base."]
    tables = {name: value for name, value in figures.items() if isinstance(value, Mapping)}
    lines = [f"- {name}: {_cell(value)}" for name, value in figures.items() if name not in tables]
    if tables:
        names = list(dict.fromkeys(name for row in tables.values() for name in row))
        lines += [""] if lines else []
        lines += [f"| | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
        lines += [f"| {name} | {' | '.join(_cell(row.get(n)) for n in names)} |" for name, row in tables.items()]
    return lines


def _agreement(found: Agreement | None) -> list[str]:
    if found is None:
        return ["Not checked: `route-sql train export --check` compares it with what was trained."]
    return [
        f"Compared at {found.positions} positions of held-out conversations: how far log-probabilities of the served",
        "model lie from those of transformers with PEFT, in the mean (nats, the served model's likeliest tokens).",
        "",
        "| transformers | served | difference |",
        "| --- | --- | ---: |",
        f"| base | base | {found.base:.4f} |",
        f"| adapter | adapter | {found.adapter:.4f} |",
        f"| adapter | base | {found.control:.4f} |",
    ]


def _flat(settings: Mapping[str, JSON], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", _cell(value)


def _cell(value: JSON) -> str:
    if isinstance(value, str):
        # The paths of the trainer's machine are private.
        return PurePath(value).name if PurePath(value).is_absolute() else value.replace("|", "\\|")
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else json.dumps(value, ensure_ascii=False)
