"""Text-to-SQL data sets in their own public layouts: Spider (with Syn, DK and Realistic) and BIRD.

The data stays where the user put it; nothing of it is part of this project.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from route_sql.training.errors import DatasetError

PublishedLayout = Literal["spider", "bird"]
"""The layouts of published data sets."""

_QUESTION_KEYS: Mapping[PublishedLayout, tuple[str, ...]] = {
    "spider": ("SpiderSynQuestion", "question"),
    "bird": ("question",),
}
_SQL_KEY: Mapping[PublishedLayout, str] = {"spider": "query", "bird": "SQL"}
_EXCLUSIONS = "EXCLUDED.json"
FOLLOW_UP = "follow_up"
"""Beginning of `kind` in rows of a later question on the thread of their example."""
NO_QUESTION = "unanswerable:small_talk"
"""`kind` of rows with a sentence in place of their example's question."""


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its gold SQL.

    `index` is its place in the questions file, from 0, with excluded questions counted; `difficulty` is the data
    set's own label, None where it has none.
    """

    index: int
    database: str
    question: str
    evidence: str
    sql: str
    difficulty: str | None = None
    accepted: tuple[str, ...] = ()
    """Further queries that are right as well."""

    @property
    def accepted_queries(self) -> tuple[str, ...]:
        """The gold SQL and the further ones."""
        return (self.sql, *self.accepted)


def queries_of(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The SQL of an entry, a text or a list of texts that are all accepted; none where it is neither."""
    value = entry.get(key)
    queries = value if isinstance(value, list) else [value]
    texts = tuple(query for query in queries if isinstance(query, str) and query.strip())
    return texts if len(texts) == len(queries) else ()


def load_examples(questions: Path, layout: PublishedLayout, *, exclude: bool = True) -> list[Example]:
    """The examples of a questions file, in its order.

    Spider: a list of objects with `db_id`, `question`, `query`. `SpiderSynQuestion`, where present, is the question.
    BIRD: a list of objects with `db_id`, `question`, `SQL`, and `evidence` and `difficulty`, which may be absent.
    Instead of one query there may be a list: an answer is right if it is equal to any; the first is the gold SQL.

    Args:
        questions: The JSON file.
        layout: The data set whose keys the file uses.
        exclude: Leave out the indices that `EXCLUDED.json` next to the file lists under the file's name.

    Raises:
        DatasetError: the file is missing, isn't JSON, or an entry lacks a key.
    """
    entries = _read_json(questions)
    if not isinstance(entries, list):
        raise DatasetError(f"{questions} holds no list of questions; is it a {layout} questions file?")
    left_out = _excluded(questions) if exclude else frozenset[int]()
    return [_example(questions, layout, i, entry) for i, entry in enumerate(entries) if i not in left_out]


def sample(examples: Sequence[Example], limit: int | None, seed: int) -> list[Example]:
    """A random subset of `limit` examples in the file's order; the same seed gives the same subset.

    All examples if `limit` is None or at least their number.

    Raises:
        DatasetError: `limit` is below 1.
    """
    if limit is None or limit >= len(examples):
        return list(examples)
    if limit < 1:
        raise DatasetError(f"a sample of {limit} questions can't be drawn; give a limit of 1 or more")
    return [examples[place] for place in sorted(Random(seed).sample(range(len(examples)), limit))]


def held_out_examples(examples: Sequence[Example], data: Path) -> list[Example]:
    """The examples that a training set holds out, in their order.

    Examples that the set left out altogether, such as gold that fails, are not among them.

    Args:
        examples: All examples of the questions file that the set was made from.
        data: The set's folder, as `route-sql train data --out` wrote it.

    Raises:
        DatasetError: the folder holds no rows of held-out questions, or rows of other questions.
    """
    held_out: dict[int, str] = {}
    for file in sorted(data.glob("*.eval.jsonl")):
        held_out |= _questions_of_rows(file)
    if not held_out:
        raise DatasetError(f"{data} holds no held-out rows; name what train data wrote, with --held-out above 0")
    asked = {example.index: example.question for example in examples}
    if strange := [index for index, question in held_out.items() if asked.get(index) != question]:
        raise DatasetError(f"{data} was made from other questions: {strange[0]} is another there; name the same file")
    return [example for example in examples if example.index in held_out]


def _questions_of_rows(file: Path) -> dict[int, str]:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
        return {row["index"]: row["question"] for row in rows if _asks_its_example(row.get("kind", ""))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{file} is damaged: {error}; make the set again") from error


def _asks_its_example(kind: str) -> bool:
    """Whether rows of a kind have the question of their example; further rows may have another one."""
    return not kind.startswith(f"{FOLLOW_UP}:") and kind != NO_QUESTION


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}") from error


def _excluded(questions: Path) -> frozenset[int]:
    path = questions.with_name(_EXCLUSIONS)
    if not path.exists():
        return frozenset()
    named = _read_json(path)
    listed = named.get(questions.name, []) if isinstance(named, dict) else None
    if not isinstance(listed, list) or not all(isinstance(index, int) for index in listed):
        raise DatasetError(f"{path} must be an object that maps file names to lists of indices")
    return frozenset(listed)


def _example(path: Path, layout: PublishedLayout, index: int, entry: object) -> Example:
    if not isinstance(entry, dict):
        raise DatasetError(f"{path}: entry {index} is not an object")
    question_key = next((key for key in _QUESTION_KEYS[layout] if key in entry), "question")
    required = ("db_id", question_key, _SQL_KEY[layout])
    queries = queries_of(entry, required[2])
    lacking = [key for key in required[:2] if not isinstance(entry.get(key), str)]
    lacking += [] if queries else [required[2]]
    if lacking:
        raise DatasetError(f"{path}: entry {index} lacks {', '.join(lacking)}; each needs {', '.join(required)} (text)")
    database, question = (entry[key] for key in required[:2])
    difficulty, evidence = entry.get("difficulty") or None, str(entry.get("evidence") or "")
    return Example(index, database, question, evidence, queries[0], difficulty, queries[1:])
