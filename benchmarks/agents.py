"""The worth of each agent to one model: its links, the queries it repairs and spoils, and the loss without it.

Takes the lines of a run of `adaptive` that `route-sql eval` or `strategies.py` wrote, these questions among
them. Without an agent a question has the same answer if the agent was not asked for it, so only the others are asked
again. The schema linker is asked for every question. What a *task* of the training is worth, `tasks.py` measures.

    python benchmarks/agents.py --questions DIR/dev.json --databases DIR/database --limit 300 --run runs/adaptive.jsonl

Writes `agents.md` next to this script. A run that was stopped is resumed, except for the linker's questions.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from langchain_core.language_models import BaseChatModel
from shared.chosen_model import opened
from shared.heading import heading
from shared.options import add_options, named

from route_sql.graph.asking import asking
from route_sql.graph.context import AgentName, Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.sql.joins.repair import add_missing_joins
from route_sql.tools.sql.usage import misplaced_columns, tables_and_columns
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.evaluate import evaluate_examples
from route_sql.training.evaluation.figures.agent_effects import AgentEffect, agent_effects, as_if_only
from route_sql.training.evaluation.figures.comparison import compare_runs
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.run_log import Line, read_run
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy
from route_sql.training.evaluation.scores.linking_accuracy import LinkScore, mean_link_score, score_link

TABLE = Path(__file__).with_name("agents.md")
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
LINKS = ("schema linker", "draft", "both", "both, with the keys between them: what the generator is shown")
LINKER_ALONE = Context(strategy="paper", without=tuple(agent for agent in AGENTS if agent != "link_schema"))


async def main(arguments: argparse.Namespace) -> None:
    """Ask what the run does not tell, then write the table."""
    async with opened(arguments) as (source, chat):
        run = {line["index"]: line for line in read_run(arguments.run)}
        if missing := [example.index for example in source.examples if example.index not in run]:
            raise EvaluationError(f"{arguments.run} lacks {len(missing)} of the questions, the first is {missing[0]}")
        lines = [run[example.index] for example in source.examples]
        scorer = ExecutionAccuracy(source.catalog, metric=arguments.layout)
        effects = await agent_effects(lines, source.examples, scorer)
        drafts = await drafts_sentence(lines, source.examples, scorer)
        ablated = {agent: await without(agent, lines, source, chat, arguments) for agent in arguments.without}
        links = await link_scores(lines, source, chat, arguments.concurrency)
    drawn = f"{len(lines)} questions of {arguments.questions.name} (seed {arguments.seed})"
    tables = [linking_table(links), effects_table(effects, lines), drafts, ablation_table(ablated, lines)]
    head = heading(f"Agents: {drawn}", model=named(arguments))
    arguments.table.write_text("\n\n".join([head, *tables]) + "\n")


async def without(
    agent: AgentName, lines: Sequence[Line], source: OpenDataSet, chat: BaseChatModel, arguments: argparse.Namespace
) -> list[Line]:
    """The lines of a run without one agent."""
    touched = {line["index"] for line in lines if took_part(agent, line)}
    if not touched:
        return list(lines)
    examples = [example for example in source.examples if example.index in touched]
    path = arguments.out / f"without_{agent}.jsonl"
    await evaluate_examples(
        asking(chat, source.catalog, Context(without=(agent,))),
        examples,
        source.catalog,
        path,
        concurrency=arguments.concurrency,
        settings={"model": named(arguments), "without": agent},
        metric=arguments.layout,
    )
    return [line for line in lines if line["index"] not in touched] + read_run(path)


async def link_scores(
    lines: Sequence[Line], source: OpenDataSet, chat: BaseChatModel, concurrency: int
) -> Mapping[str, list[LinkScore]]:
    """The linker, the draft, both and what both bring along; a gold query with unclear scopes is left out."""
    graph = build_graph(chat, source.catalog)
    scores: dict[str, list[LinkScore]] = {}

    async def work(asked: tuple[Example, Line]) -> None:
        example, line = asked
        schema = await source.catalog.get(example.database).schema()
        if gold := tables_and_columns(example.sql, schema):
            question = Question(question=example.question, database=example.database)
            link: Link = {}
            async for update in graph.astream(question, context=LINKER_ALONE, stream_mode="updates"):
                link = update.get("link_schema", {}).get("linked", link)
            draft = next((c["sql"] for c in line["candidates"] if c["agent"] == "draft"), "")
            both = union(link, drafted(draft, schema))
            shown = schema.restrict(both).names()
            links = (link, tables_and_columns(draft, schema), both, shown)
            for name, found in zip(LINKS, links, strict=True):
                scores.setdefault(name, []).append(score_link(found, gold))

    await for_each(work, zip(source.examples, lines, strict=True), concurrency)
    return scores


def drafted(draft: str, schema: Schema) -> Link:
    """The part of the link that a draft adds: names that it uses or misplaces, and those that complete its joins."""
    meant = union(tables_and_columns(draft, schema), misplaced_columns(draft, schema))
    return union(meant, tables_and_columns(add_missing_joins(draft, schema) or "", schema))


def linking_table(links: Mapping[str, Sequence[LinkScore]]) -> str:
    """Recall and precision in percent, and in how many questions nothing is missing."""
    head = (
        "| link by | n | all tables found | all columns found | table recall | table precision | column recall "
        "| column precision |\n| --- | --: | --: | --: | --: | --: | --: | --: |"
    )
    rows = []
    for name, scores in links.items():
        mean = mean_link_score(scores)
        shares = (
            mean["complete_tables"],
            mean["complete_columns"],
            mean["table_recall"],
            mean["table_precision"],
            mean["column_recall"],
            mean["column_precision"],
        )
        rows.append(f"| {name} | {len(scores)} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |")
    return "\n".join([head, *rows])


def took_part(agent: str, line: Line) -> bool:
    """Whether an agent was asked, or, asking no model itself, wrote a candidate."""
    return agent in line["asked"] or any(candidate["agent"] == agent for candidate in line["candidates"])


def effects_table(effects: Mapping[str, AgentEffect], lines: Sequence[Line]) -> str:
    """Share of questions of each agent, and its right and wrong candidates against the candidate before."""
    head = (
        "| agent | takes part, % of questions | wrote a candidate | right | made right | made wrong |\n"
        "| --- | --: | --: | --: | --: | --: |"
    )
    rows = []
    for agent in AGENTS:
        share = 100 * sum(took_part(agent, line) for line in lines) / len(lines)
        effect = effects.get(agent, AgentEffect(candidates=0, right=0, help=0, harm=0))
        rows.append(f"| {agent} | {share:.1f} | {' | '.join(str(figure) for figure in effect.values())} |")
    return "\n".join([head, *rows])


async def drafts_sentence(lines: Sequence[Line], examples: Sequence[Example], scorer: ExecutionAccuracy) -> str:
    """Number of right drafts, as they are and with their joins completed: the accuracy of one call."""
    shares = []
    for agents in (["draft"], ["draft", "complete_joins"]):
        right = sum(line["correct"] for line in await as_if_only(agents, lines, examples, scorer))
        shares.append(f"{right} ({100 * right / len(lines):.1f} %)")
    joined = any(took_part("complete_joins", line) for line in lines)
    return f"Of {len(lines)} drafts {shares[0]} are right{f', with their joins completed {shares[1]}' * joined}."


def without_samples(lines: Sequence[Line]) -> list[Line]:
    """The run had nothing been sampled: where something was, nothing ran before, so that the answer was wrong."""
    return [{**line, "correct": line["correct"] and line["asked"].count("generate") < 2} for line in lines]


def ablation_table(ablated: Mapping[AgentName, list[Line]], lines: Sequence[Line]) -> str:
    """Execution accuracy without samples and without each agent, question by question against the whole team."""
    head = (
        "| without | EX | right only with it | right only without it | p | calls |\n"
        "| --- | --: | --: | --: | --: | --: |"
    )
    whole = summarise(lines)
    rows = [f"| nobody | {100 * whole['ex']:.1f} | | | | {whole['calls_per_question']:.2f} |"]
    lost: dict[str, Sequence[Line]] = {"samples": without_samples(lines)}
    for agent, run in [*lost.items(), *ablated.items()]:
        summary, compared = summarise(run), compare_runs(lines, run)
        cells = (f"{100 * summary['ex']:.1f}", compared["only_first"], compared["only_second"])
        costs = (f"{compared['p_value']:.2g}", f"{summary['calls_per_question']:.2f}")
        rows.append(f"| {agent} | {' | '.join(map(str, (*cells, *costs)))} |")
    return "\n".join([head, *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="The lines of a run of `adaptive`.")
    parser.add_argument("--without", nargs="*", choices=AGENTS, default=AGENTS, help="The agents to leave out.")
    parser.add_argument("--table", type=Path, default=TABLE)
    add_options(parser)
    asyncio.run(main(parser.parse_args()))
