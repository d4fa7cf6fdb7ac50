"""Time saved by prompt trees on this machine: an epoch of the same rows, packed one by one and as trees.

    python benchmarks/prompt_trees.py --base FILE.gguf --tokenizer DIR --rows DIR

The rows are those of some questions of `route-sql train data`, text to SQL and schema linking. Writes `prompt_trees.md`
next to this script. Each packing is given two epochs, of which the second counts.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.heading import heading

from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.sft import fine_tune
from route_sql.training.two_stages.pace import EpochClock

TASKS = ("text_to_sql", "schema_linking")
TABLE = Path(__file__).with_name("prompt_trees.md")


def draw_rows(rows: Path, out: Path, databases: int, questions: int) -> int:
    """Write the rows of the first questions of the first databases; the sum of their tokens."""
    tokens = 0
    for task in TASKS:
        seen: dict[str, Counter[int]] = {}
        with (rows / f"{task}.train.jsonl").open() as lines, (out / f"{task}.train.jsonl").open("w") as drawn:
            for line in lines:
                row = json.loads(line)
                if row["kind"] == "linked" or (row["database"] not in seen and len(seen) == databases):
                    continue
                of_database = seen.setdefault(row["database"], Counter())
                of_database[row["index"]] += 1
                if len(of_database) <= questions:
                    tokens += row["tokens"]
                    drawn.write(line)
    return tokens


def main(arguments: argparse.Namespace) -> None:
    """Measure and write the table."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokens = draw_rows(arguments.rows, folder, arguments.databases, arguments.questions)
        one_by_one = SFTRun(
            base=str(arguments.base),
            tokenizer=str(arguments.tokenizer),
            data=scratch,
            out=str(folder / "rows"),
            tasks=dict.fromkeys(TASKS, 1.0),
            lora=LoRA(dropout=0),
            epochs=2,
            max_length=4096,
        )
        as_trees = replace(one_by_one, packing="trees", out=str(folder / "trees"))
        seconds = {}
        for name, run in (("rows", one_by_one), ("trees", as_trees)):
            clock = EpochClock()
            fine_tune(run, progress=clock)
            seconds[name] = clock.seconds
    lines = [
        heading(f"An epoch of {tokens:,} tokens", "torch", "transformers"),
        "",
        "| packs of | seconds | tokens of rows a second |",
        "| --- | --: | --: |",
    ]
    lines += [f"| {name} | {spent:.0f} | {tokens / spent:,.0f} |" for name, spent in seconds.items()]
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--databases", type=int, default=3)
    parser.add_argument("--questions", type=int, default=20, help="Of each database.")
    main(parser.parse_args())
