"""Drafts of adapters on one base: right ones, and questions declined that the schema answers or does not answer.

One draft a question, drawn in batches with transformers, joins not repaired. The rows are those of `train data
--further`, of databases that no adapter was tuned on.

    route-sql train data --questions choose.json --databases DIR --held-out 0 --further --out rows
    python benchmarks/drafts.py --rows rows --questions choose.json --databases DIR --base BASE --adapter NAME=FOLDER

Writes `drafts.md` next to this script. Left out: the server's quantized weights, other agents, linked schemas.
"""

import argparse
import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from shared.heading import heading

from route_sql.agents import no_answer
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.rows.row_files import file_name
from route_sql.training.tasks.task import Row
from route_sql.training.tuning.batched_replies import Decoding, GeneratedReply, Sampler
from route_sql.training.two_stages.folds import rows_of_file
from route_sql.training.two_stages.reply_scores import score_replies

TABLE = Path(__file__).with_name("drafts.md")
DRAFT = Decoding(rows=48, max_new_tokens=160)
ANSWERABLE = "full"
NO_ANSWER = {
    "unanswerable:column": "hidden column",
    "unanswerable:table": "hidden table",
    "unanswerable:other_database": "another database",
}
"""Kinds of rows, and their names in the table."""


async def main(arguments: argparse.Namespace) -> None:
    """Draw the drafts of each adapter, then write the table."""
    wanted = {ANSWERABLE, *NO_ANSWER}
    file: Path = arguments.rows / file_name("text_to_sql", "train")
    rows = [row for row in rows_of_file(file) if row["kind"] in wanted]
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in NO_ANSWER}
    names = [f"{name}: declined (n={counts[kind]})" for kind, name in NO_ANSWER.items()]
    columns = ["adapter", f"right (n={len(rows) - sum(counts.values())})", "of these declined", *names]
    lines = [heading("Drafts", "torch", "transformers"), "", f"| {' | '.join(columns)} |"]
    lines += ["| --- |" + " --: |" * (len(columns) - 1)]
    for name, adapter in arguments.adapter:
        drafts = list(drawn(Sampler(arguments.base, adapter), rows))
        lines.append(f"| {name} | {' | '.join(await shares(drafts, arguments))} |")
        print(lines[-1], flush=True)
    arguments.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


def drawn(sampler: Sampler, rows: Sequence[Row]) -> Iterator[tuple[Row, GeneratedReply]]:
    """Each row with the model's draft; rows of a kind on one database share the computation of its schema."""

    def place(row: Row) -> tuple[str, str]:
        return row["database"], row["kind"]

    for _, group in groupby(sorted(rows, key=place), key=place):
        part = list(group)
        expected = [row["completion"][0]["content"] for row in part]
        replies = sampler.replies([row["prompt"] for row in part], DRAFT, expected=expected)
        yield from zip(part, replies, strict=True)


async def shares(drafts: Sequence[tuple[Row, GeneratedReply]], arguments: argparse.Namespace) -> list[str]:
    """The cells of one adapter, in percent."""
    declined: Mapping[str, list[bool]] = {kind: [] for kind in (ANSWERABLE, *NO_ANSWER)}
    for row, reply in drafts:
        declined[row["kind"]].append(no_answer.parse(reply.text) is not None)
    async with open_data_set(DataSet("spider", arguments.questions, arguments.databases)) as source:
        scores = await score_replies(source, *zip(*drafts, strict=True))
    right = scores[f"text_to_sql/{ANSWERABLE}"]["mean"]
    return [f"{100 * right:.1f}", *(_percent(found) for found in declined.values())]


def _percent(found: Sequence[bool]) -> str:
    return f"{100 * sum(found) / len(found):.1f}" if found else ""


def _named(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not folder:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    return name, Path(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="The set of `train data --further`.")
    parser.add_argument("--questions", type=Path, required=True, help="The questions that the set was made from.")
    parser.add_argument("--databases", type=Path, required=True, help="The folder of their databases.")
    parser.add_argument("--base", type=Path, required=True, help="The base in transformers' format.")
    parser.add_argument("--adapter", type=_named, action="append", required=True, help="NAME=FOLDER; may be repeated.")
    parser.add_argument("--table", type=Path, default=TABLE, help="Where the table goes.")
    asyncio.run(main(parser.parse_args()))
