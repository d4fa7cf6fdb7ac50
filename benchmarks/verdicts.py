"""The noise corrector as a judge: do its verdicts rank right drafts above wrong ones, and what do its corrections do.

Each question is drafted on the full schema, and the draft is shown to the corrector with its result: two calls. The
score of a verdict is its probability by the model's log-probabilities. The questions are on databases that the
shipped adapter was not tuned on. Lines are kept in `OUT/verdicts.jsonl`, so a run that was stopped resumes.

    python benchmarks/verdicts.py --questions DIR/train_spider.json --databases DIR/database --out DIR

Writes `verdicts.md` next to this script. Left out: the second verdict on a correction.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import exp
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.outputs import LLMResult
from rich.progress import Progress
from shared.chosen_model import opened
from shared.heading import heading
from shared.held_out import CHOOSE, FIT
from shared.options import add_options, named

from route_sql.agents import noise_corrector
from route_sql.agents.call import FOR_PROGRAMS, Reply, reply_of
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import Graph, build_graph
from route_sql.training.calibration.figures import Judged, auroc
from route_sql.training.concurrency import for_each
from route_sql.training.datasets.data_set import OpenDataSet
from route_sql.training.datasets.examples import Example, sample
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

TABLE = Path(__file__).with_name("verdicts.md")
LISTS = {"fit": FIT, "choose": CHOOSE}
JUDGED = Context(strategy="paper", without=("link_schema", "generate", "complete_joins", "continue_writing"))
"""A draft on the full schema, then the corrector."""
VERDICT_TOKENS = 4
"""Tokens of the line `verdict: right` at most, in the tokenizers that we know."""
AIM = 0.75
"""AUROC from which a verdict would be worth its call."""


@dataclass(frozen=True)
class JudgedDraft:
    """A draft with the verdict on it."""

    index: int
    status: str
    """That of the draft's outcome."""
    right: bool
    verdict: str | None
    """None if the reply has no verdict."""
    score: float
    """Probability that the draft is right, by the verdict; 0.5 without one."""
    corrected: bool | None
    """Whether the correction is right; None if there is none."""


class VerdictReplies(AsyncCallbackHandler):
    """Keeps the corrector's replies of a run."""

    def __init__(self) -> None:
        """Start without replies."""
        self.replies: list[Reply] = []

    async def on_llm_end(self, response: LLMResult, *, tags: list[str] | None = None, **kwargs: Any) -> None:
        """Keep a reply that a program reads."""
        message = getattr(response.generations[0][0], "message", None)
        if FOR_PROGRAMS in (tags or []) and message is not None:
            self.replies.append(reply_of(message, 0.0))


async def judged(graph: Graph, example: Example, scorer: ExecutionAccuracy, dialect: str) -> JudgedDraft | None:
    """Draft a question's SQL and ask for the verdict; None if there is no draft."""
    question = Question(question=example.question, database=example.database, evidence=example.evidence)
    kept = VerdictReplies()
    answer = await graph.ainvoke(question, {"callbacks": [kept]}, context=JUDGED)
    drafts = [each for each in answer["candidates"] if each["agent"] == "draft"]
    if not drafts or not kept.replies:
        return None
    reply = kept.replies[0]
    verdict = noise_corrector.parse(reply.text, dialect)
    corrections = [each["sql"] for each in answer["candidates"] if each["agent"] == "correct_noise"]
    return JudgedDraft(
        index=example.index,
        status=drafts[0]["status"],
        right=(await scorer.score(example, drafts[0]["sql"])).correct,
        verdict=verdict.verdict if verdict else None,
        score=score_of(reply, verdict.verdict if verdict else None),
        corrected=(await scorer.score(example, corrections[0])).correct if corrections else None,
    )


def score_of(reply: Reply, verdict: str | None) -> float:
    """The probability of `right`; the words of the first line around the verdict itself are nearly certain."""
    if verdict is None or not reply.logprobs:
        return 0.5
    likely = exp(min(reply.logprobs[:VERDICT_TOKENS]))
    return likely if verdict == "right" else 1.0 - likely


async def main(arguments: argparse.Namespace) -> None:
    """Ask for the verdicts that are not there yet, then write the table."""
    limit, arguments.limit = arguments.limit, None
    async with opened(arguments) as (everything, chat):
        examples = [each for each in everything.examples if each.database in LISTS[arguments.list]]
        data = replace(everything, examples=sample(examples, limit, arguments.seed))
        path = arguments.out / "verdicts.jsonl"
        await ask_missing(build_graph(chat, data.catalog), data, path, arguments.concurrency)
    wanted = {each.index for each in data.examples}
    text = table([each for each in read_judged(path) if each.index in wanted], arguments)
    TABLE.write_text(text, encoding="utf-8")
    print(text)


async def ask_missing(graph: Graph, data: OpenDataSet, path: Path, concurrency: int) -> None:
    """Ask the questions that the file has no line of."""
    done = {each.index for each in read_judged(path)}
    scorer = ExecutionAccuracy(data.catalog)
    with path.open("a", encoding="utf-8") as file, Progress() as progress:
        task = progress.add_task("questions", total=len(data.examples), completed=len(done))

        async def work(example: Example) -> None:
            dialect = (await data.catalog.get(example.database).schema()).dialect
            if found := await judged(graph, example, scorer, dialect):
                file.write(json.dumps(asdict(found)) + "\n")
                file.flush()
            progress.advance(task)

        await for_each(work, [each for each in data.examples if each.index not in done], concurrency)


def read_judged(path: Path) -> list[JudgedDraft]:
    """The lines of an earlier run; a missing file has none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [JudgedDraft(**json.loads(line)) for line in text.splitlines()]


def table(found: Sequence[JudgedDraft], arguments: argparse.Namespace) -> str:
    """The ranking and the corrections, over all drafts, those that ran and those that did not return a row."""
    head = heading("Verdicts of the noise corrector", model=named(arguments), list=arguments.list, seed=arguments.seed)
    lines = [head, "", "| drafts | n | right | called right | called wrong | AUROC | made right | made wrong |"]
    lines.append("| --- | --: | --: | --: | --: | --: | --: | --: |")
    parts = {
        "all": found,
        "with rows": [each for each in found if each.status == "ok"],
        "without rows": [each for each in found if each.status != "ok"],
    }
    lines += [f"| {name} | {_cells(part)} |" for name, part in parts.items()]
    lines += ["", f"AUROC: probability that a right draft has a better verdict than a wrong one; the aim was {AIM}."]
    return "\n".join(lines) + "\n"


def _cells(part: Sequence[JudgedDraft]) -> str:
    ranking = auroc([Judged(each.score, each.right) for each in part])
    counts = [len(part), sum(each.right for each in part)]
    counts += [sum(each.verdict == verdict for each in part) for verdict in ("right", "wrong")]
    helped = sum(not each.right and bool(each.corrected) for each in part)
    harmed = sum(each.right and each.corrected is False for each in part)
    ranked = "" if ranking is None else f"{ranking:.3f}"
    return " | ".join([*map(str, counts), ranked, str(helped), str(harmed)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--list", choices=tuple(LISTS), default="choose", help="The list of databases.")
    asyncio.run(main(parser.parse_args()))
