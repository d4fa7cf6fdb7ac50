"""Rows of questions without an answer and of follow-ups, made of a log on two databases."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from route_sql.agents import generator, no_answer
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.datasets.examples import FOLLOW_UP, NO_QUESTION, held_out_examples
from route_sql.training.rows.building import TASKS, Recipe, build_data
from route_sql.training.rows.follow_ups import follow_ups
from route_sql.training.rows.hidden_names import hidden_variants
from route_sql.training.rows.training_example import ExamplePreparer
from route_sql.training.rows.unanswerable import hidden_rows
from route_sql.training.tasks.task import UNANSWERABLE, Row

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT, age INTEGER, since TEXT);
CREATE TABLE sale (customer_id INTEGER REFERENCES customer(id), item TEXT, price REAL);
CREATE TABLE supplier (id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO customer VALUES (1, 'Ida', 'Bergen', 30, '2021-02-03'), (2, 'Ole', 'Oslo', 40, '2022-03-04');
INSERT INTO sale VALUES (1, 'lamp', 20.0), (2, 'desk', 150.0);
INSERT INTO supplier VALUES (1, 'Nord');
"""
ZOO = (
    "CREATE TABLE animal (id INTEGER PRIMARY KEY, species TEXT, weight REAL); INSERT INTO animal VALUES (1, 'yak', 9);"
)
PAIRS = [
    ("shop", "How many customers live in Bergen?", "SELECT COUNT(*) FROM customer WHERE city = 'Bergen'"),
    ("shop", "Names of customers older than 35", "SELECT name FROM customer WHERE age > 35"),
    ("shop", "Who bought a lamp?", "SELECT T1.name FROM customer AS T1 JOIN sale AS T2 ON T1.id = T2.customer_id"),
    ("shop", "Show everything about customers", "SELECT * FROM customer"),
    ("shop", "All suppliers", "SELECT title FROM supplier"),
    ("zoo", "How heavy is the yak?", "SELECT weight FROM animal WHERE species = 'yak'"),
]


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[OpenDataSet]:
    for name, script in {"shop": SHOP, "zoo": ZOO}.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            connection.executescript(script)
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"database": d, "question": q, "sql": sql}) for d, q, sql in PAIRS for _ in range(6)]
    log.write_text("\n".join(lines), encoding="utf-8")
    async with open_data_set(DataSet("log", log, tmp_path)) as opened:
        yield opened


async def built(source: OpenDataSet, folder: Path) -> list[Row]:
    await build_data(source, folder, Recipe(held_out=0, further=True))
    return [json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]


async def test_every_situation_has_rows_and_each_completion_scores_one(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows")
    kinds = {row["kind"].partition(":")[0] for row in rows} | {row["kind"] for row in rows}
    assert {"reduced", "follow_up", f"{UNANSWERABLE}:column", f"{UNANSWERABLE}:table"} <= kinds
    assert {f"{UNANSWERABLE}:other_database", f"{UNANSWERABLE}:small_talk"} & kinds
    judge = ExamplePreparer(source, 0, {}).judge
    for row in rows:
        if row["kind"] != "follow_up:further_column":  # the gold of a follow-up is not the log's
            assert await TASKS[row["task"]].score(row["completion"][0]["content"], row, judge) == 1.0, row


async def test_the_same_settings_give_the_same_bytes(source: OpenDataSet, tmp_path: Path) -> None:
    assert await built(source, tmp_path / "one") == await built(source, tmp_path / "two")


async def test_a_set_with_further_rows_holds_out_its_own_examples(source: OpenDataSet, tmp_path: Path) -> None:
    await build_data(source, tmp_path / "rows", Recipe(seed=2, held_out=0.9, further=True))
    rows = [json.loads(line) for line in (tmp_path / "rows" / "text_to_sql.eval.jsonl").read_text().splitlines()]
    assert {f"{FOLLOW_UP}:unrelated", NO_QUESTION} <= {row["kind"] for row in rows}
    assert held_out_examples(source.whole, tmp_path / "rows") == list(source.whole)


async def test_a_row_without_an_answer_does_not_show_what_it_lacks(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows")
    lacking = [row for row in rows if row["kind"] == f"{UNANSWERABLE}:column" and row["task"] == "text_to_sql"]
    assert lacking
    for row in lacking:
        reason = no_answer.parse(row["completion"][0]["content"])
        assert reason is not None
        schema = row["prompt"][-1]["content"].partition("SCHEMA>>>")[0]
        for name in reason.removeprefix("no column for ").split(" and "):
            assert f" {name} " not in schema.replace("(", " ").replace(",", " ")


async def test_a_query_for_all_columns_is_never_called_unanswerable(source: OpenDataSet) -> None:
    example = next(example for example in source.examples if "*" in example.sql and "COUNT" not in example.sql)
    prepared = await ExamplePreparer(source, 0, {}).prepare(example)
    assert not any(hidden_rows(prepared, seed, Random(seed)) for seed in range(20))


async def test_keys_are_never_hidden(source: OpenDataSet) -> None:
    schema = await source.catalog.get("shop").schema()
    for seed in range(30):
        for variant in hidden_variants(schema, seed, "shop"):
            for table in variant.schema:
                assert table.name != "sale" or table.column("customer_id") is not None


async def test_a_follow_up_stands_in_the_evidence(source: OpenDataSet, tmp_path: Path) -> None:
    rows = await built(source, tmp_path / "rows")
    later = [row for row in rows if row["kind"].startswith("follow_up") and row["task"] == "text_to_sql"]
    assert later
    for row in later:
        assert "\n\nEvidence: Earlier question: " in row["prompt"][-1]["content"]
        assert generator.parse(row["completion"][0]["content"], "sqlite")


@pytest.mark.parametrize(
    ("sql", "kind", "expected"),
    [
        (PAIRS[0][2], "other_value", "SELECT COUNT(*) FROM customer WHERE city = 'Oslo'"),
        (PAIRS[1][2], "number", "SELECT COUNT(*) FROM customer WHERE age > 35"),
        ("SELECT name FROM customer ORDER BY age", "first", "SELECT name FROM customer ORDER BY age LIMIT "),
        (
            "SELECT COUNT(*) FROM customer",
            "month",
            "SELECT STRFTIME('%Y-%m', since), COUNT(*) FROM customer GROUP BY STRFTIME('%Y-%m', since)",
        ),
    ],
)
async def test_follow_ups_change_the_query(source: OpenDataSet, sql: str, kind: str, expected: str) -> None:
    schema = await source.catalog.get("shop").schema()
    found = {each.kind: each.sql for each in follow_ups(sql, schema, Random(1))}
    assert found[kind].startswith(expected)


async def test_a_query_with_joins_has_no_follow_up_on_columns(source: OpenDataSet) -> None:
    schema = await source.catalog.get("shop").schema()
    kinds = {each.kind for seed in range(20) for each in follow_ups(PAIRS[2][2], schema, Random(seed))}
    assert kinds == {"number"}
