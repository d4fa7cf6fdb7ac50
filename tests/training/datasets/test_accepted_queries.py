import json
from pathlib import Path
from typing import Any

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.examples import Example, load_examples
from route_sql.training.datasets.query_log import load_query_log
from route_sql.training.errors import DatasetError
from route_sql.training.evaluation.run_log import meta_path, open_run
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy

DIGEST = "01ce8afc87eab77ebbb822ac87e28294cbee7d74955f9187d4d5119bdbfa80cf"
"""Of one example, as written before an example could have more than one query."""
TWO = ["SELECT name FROM customer", "SELECT id, name FROM customer"]


def test_a_questions_file_may_give_several_queries(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([{"db_id": "shop", "question": "?", "query": TWO, "SQL": TWO}]))
    for layout in ("spider", "bird"):
        (read,) = load_examples(path, "bird" if layout == "bird" else "spider")
        assert (read.sql, read.accepted, read.accepted_queries) == (TWO[0], (TWO[1],), tuple(TWO))


def test_a_log_may_give_several_queries(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"database": "shop", "question": "?", "sql": TWO}))
    assert load_query_log(path)[0].accepted_queries == tuple(TWO)


@pytest.mark.parametrize("given", [[], [1], ["SELECT 1", ""], ["SELECT 1", None], None, {}])
def test_a_list_of_anything_else_is_refused(tmp_path: Path, given: Any) -> None:
    path, log = tmp_path / "dev.json", tmp_path / "log.jsonl"
    path.write_text(json.dumps([{"db_id": "shop", "question": "?", "query": given}]))
    with pytest.raises(DatasetError, match="entry 0 lacks query; each needs db_id, question, query"):
        load_examples(path, "spider")
    log.write_text(json.dumps({"database": "shop", "question": "?", "sql": given}))
    with pytest.raises(DatasetError, match="line 1 lacks sql"):
        load_query_log(log)


@pytest.mark.parametrize(
    ("predicted", "right"),
    [
        ("SELECT name FROM customer", True),
        ("SELECT id, name FROM customer", True),
        ("SELECT city FROM customer", False),
        ("SELECT", False),
    ],
)
async def test_right_is_what_equals_any(catalog: Catalog, predicted: str, right: bool) -> None:
    example = Example(0, "shop", "?", "", TWO[0], accepted=(TWO[1],))
    assert (await ExecutionAccuracy(catalog).score(example, predicted)).correct is right


async def test_one_query_that_fails_does_not_spoil_the_others(catalog: Catalog) -> None:
    broken = Example(0, "shop", "?", "", "SELECT nothing FROM customer", accepted=(TWO[0],))
    assert (await ExecutionAccuracy(catalog).score(broken, TWO[0])).correct
    wrong = await ExecutionAccuracy(catalog).score(broken, "SELECT 1")
    assert (wrong.correct, wrong.gold_fault) == (False, False)
    none = Example(0, "shop", "?", "", "SELECT nothing FROM customer", accepted=("SELECT",))
    assert (await ExecutionAccuracy(catalog).score(none, "SELECT 1")).gold_fault


async def test_a_run_is_resumed_whose_questions_had_one_query(tmp_path: Path) -> None:
    out = tmp_path / "run.jsonl"
    async with open_run(out, {}, [Example(0, "shop", "?", "", "SELECT 1")]):
        pass
    assert json.loads(meta_path(out).read_text())["digest"] == DIGEST
