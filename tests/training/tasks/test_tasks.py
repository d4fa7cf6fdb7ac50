import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.errors import DatasetError
from route_sql.training.rows.building import TASKS, Recipe, example_rows
from route_sql.training.rows.token_counts import estimated_tokens
from route_sql.training.rows.training_example import ExamplePreparer, UnusableExample
from route_sql.training.tasks.task import Row

SHOP = """
CREATE TABLE Customer (id INTEGER PRIMARY KEY, Name TEXT, city TEXT, age INTEGER);
CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE sale (customer_id INTEGER REFERENCES Customer(id), product_id INTEGER REFERENCES product(id), day TEXT);
CREATE TABLE supplier (id INTEGER PRIMARY KEY, name TEXT, town TEXT);
INSERT INTO Customer VALUES (1, 'Ida', 'Bergen', 30), (2, 'Ole', 'Oslo', 40), (3, 'Una', 'Bergen', 50);
INSERT INTO product VALUES (1, 'lamp', 20.0), (2, 'desk', 150.0);
INSERT INTO sale VALUES (1, 1, '2024-01-05'), (1, 2, '2024-02-01'), (3, 1, '2024-02-03');
INSERT INTO supplier VALUES (1, 'Nord', 'Oslo');
"""
PAIRS = [
    (
        "Who bought a lamp?",
        "select T1.name  from customer as T1 JOIN sale AS T2 ON T1.id = T2.customer_id "
        'JOIN product AS T3 ON T2.product_id = T3.id WHERE T3.name = "lamp" ;',
    ),
    ("How many customers live in Bergen?", "SELECT count(*) FROM customer WHERE city = 'Bergen'"),
    ("Which customers are older than 35?", "SELECT name , age FROM customer WHERE ( age > 35 )"),
    ("What is not there?", "SELECT colour FROM customer"),
]


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[OpenDataSet]:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.executescript(SHOP)
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"question": q, "sql": sql, "database": "shop"}) for q, sql in PAIRS]
    log.write_text("\n".join(lines), encoding="utf-8")
    async with open_data_set(DataSet("log", log, tmp_path)) as opened:
        yield opened


@pytest.fixture
def preparer(source: OpenDataSet) -> ExamplePreparer:
    return ExamplePreparer(source, 3, {})


async def made(preparer: ExamplePreparer, source: OpenDataSet, place: int = 0) -> list[Row]:
    rows, complete = example_rows(await preparer.prepare(source.examples[place]), Recipe(3), estimated_tokens)
    assert complete
    return rows


async def test_gold_is_taught_in_one_style(preparer: ExamplePreparer, source: OpenDataSet):
    asked = await preparer.prepare(source.examples[0])
    assert asked.gold == (
        "select T1.Name from Customer as T1 JOIN sale AS T2 ON T1.id = T2.customer_id "
        "JOIN product AS T3 ON T2.product_id = T3.id WHERE T3.name = 'lamp'"
    )
    assert (await preparer.prepare(source.examples[2])).gold == "SELECT Name, age FROM Customer WHERE (age > 35)"


async def test_gold_that_fails_is_unfit(preparer: ExamplePreparer, source: OpenDataSet):
    with pytest.raises(UnusableExample, match="gold: error"):
        await preparer.prepare(source.examples[3])


async def test_every_completion_reads_back_as_the_answer_it_stands_for(preparer: ExamplePreparer, source: OpenDataSet):
    for place in (0, 1, 2):
        asked = await preparer.prepare(source.examples[place])
        for row in await made(preparer, source, place):
            said = row["completion"][0]["content"]
            if row["task"] == "text_to_sql":
                assert generator.parse(said, "sqlite") == asked.gold
            elif row["task"] == "schema_linking":
                assert schema_linker.parse(said, asked.schema) == asked.gold_link()
            elif row["task"] == "continuation_writing":
                assert continuation_writer.parse(said, row["given"], "sqlite") == asked.gold
            else:
                verdict = noise_corrector.parse(said, "sqlite")
                assert verdict and verdict.sql == (asked.gold if row["kind"].startswith("wrong") else None)


async def test_every_completion_scores_one_and_nonsense_nothing(preparer: ExamplePreparer, source: OpenDataSet):
    rows = [row for place in (0, 1, 2) for row in await made(preparer, source, place)]
    assert {row["task"] for row in rows} == set(TASKS)
    for row in rows:
        task = TASKS[row["task"]]
        assert await task.score(row["completion"][0]["content"], row, preparer.judge) == 1.0, row
        assert await task.score("I don't know.", row, preparer.judge) == 0.0, row


async def test_a_link_with_one_column_too_many_scores_its_f1(preparer: ExamplePreparer, source: OpenDataSet):
    row = next(row for row in await made(preparer, source, 2) if row["task"] == "schema_linking")
    assert row["completion"][0]["content"] == '{"Customer": ["Name", "age"]}'
    score = TASKS["schema_linking"].score
    assert await score('{"Customer": ["Name", "age", "city"]}', row, preparer.judge) == pytest.approx(6 / 7)
    assert await score('{"product": ["name"]}', row, preparer.judge) == 0.0


async def test_a_verdict_scores_by_the_sql_that_stands_after_it(preparer: ExamplePreparer, source: OpenDataSet):
    rows = {row["kind"].split(":")[0]: row for row in await made(preparer, source) if row["task"] == "noise_correction"}
    score = TASKS["noise_correction"].score
    assert await score("verdict: right", rows["wrong"], preparer.judge) == 0.0
    assert await score(f"verdict: wrong\n{rows['wrong']['gold']}", rows["right"], preparer.judge) == 1.0
    assert await score("verdict: wrong\nSELECT 1", rows["right"], preparer.judge) == 0.0


async def test_wrong_candidates_are_wrong_and_half_of_all(preparer: ExamplePreparer, source: OpenDataSet):
    rows = [row for p in (0, 1, 2) for row in await made(preparer, source, p) if row["task"] == "noise_correction"]
    assert sum(row["kind"] == "right:gold" for row in rows) == len(rows) / 2 == 3
    score = TASKS["text_to_sql"].score
    for row in rows:
        right = row["kind"].startswith("right")
        assert await score(row["given"], row, preparer.judge) == float(right), row


async def test_the_models_own_replies_come_before_our_edits(source: OpenDataSet):
    wrong = "SELECT COUNT(*) FROM Customer WHERE city = 'bergen'"
    right = "SELECT COUNT(id) FROM Customer WHERE city = 'Bergen'"
    preparer = ExamplePreparer(source, 3, {1: [wrong, f"```sql\n{right}\n```", wrong, "no idea"]})
    asked = await preparer.prepare(source.examples[1])
    assert [(ran.sql, ran.kind) for ran in asked.rights] == [(right, "model"), (asked.gold, "gold")]
    rows = TASKS["noise_correction"].rows(asked, Random(1))
    assert [row["given"] for row in rows if row["kind"] == "wrong:model"] == [wrong]
    assert not any("edit" in row["kind"] for row in rows)
    begun = [
        row["given"]
        for seed in range(20)
        for row in TASKS["continuation_writing"].rows(asked, Random(seed))
        if row["kind"] == "wrong"
    ]
    assert set(begun) == {"SELECT COUNT(*) FROM Customer WHERE city ="}


async def test_continuations_begin_in_every_way_and_their_beginnings_are_the_golds(
    preparer: ExamplePreparer, source: OpenDataSet
):
    asked = await preparer.prepare(source.examples[0])
    others = [await preparer.prepare(example) for example in source.examples[1:3]]
    rows = [row for seed in range(40) for row in TASKS["continuation_writing"].rows(asked, Random(seed))]
    # Which wrong queries an example has is drawn; of some, only the bare SELECT is valid.
    more = [
        row for other in others for seed in range(40) for row in TASKS["continuation_writing"].rows(other, Random(seed))
    ]
    assert {row["kind"] for row in [*rows, *more]} == {"bare", "whole", "token", "clause", "join", "wrong"}
    for row in rows:
        assert row["kind"] in ("bare", "wrong") or asked.gold.startswith(row["given"])
        assert row["gold"].casefold().startswith(row["given"].casefold())
    joins = {row["given"] for row in rows if row["kind"] == "join"}
    assert "select T1.Name from Customer as T1 JOIN sale AS T2 ON T1.id = T2.customer_id" in joins


async def test_linked_schemas_hold_the_gold_and_distractors(preparer: ExamplePreparer, source: OpenDataSet):
    asked = await preparer.prepare(source.examples[1])
    shown = set()
    for seed in range(30):
        for row in TASKS["text_to_sql"].rows(asked, Random(seed)):
            text = row["prompt"][1]["content"]
            if row["kind"] == "linked":
                assert "Customer (" in text and "  city TEXT," in text
                shown.add(tuple(name for name in ("supplier (", "sale (", "product (", "  age ") if name in text))
    assert () in shown and any("supplier (" in names for names in shown) and any("  age " in names for names in shown)


async def test_what_does_not_fit_has_its_schema_cut_and_never_its_answer(
    preparer: ExamplePreparer, source: OpenDataSet
):
    asked = await preparer.prepare(source.examples[1])

    def quarter(text: str) -> int:
        return len(text) // 4

    whole, _ = example_rows(asked, Recipe(3), quarter)
    cut, complete = example_rows(asked, Recipe(3, max_tokens=180), quarter)
    assert complete and max(row["tokens"] for row in whole) > 180 >= max(row["tokens"] for row in cut)
    assert {row["completion"][0]["content"] for row in cut} == {row["completion"][0]["content"] for row in whole}
    assert all("Customer (" in row["prompt"][1]["content"] for row in cut)
    none, complete = example_rows(asked, Recipe(3, max_tokens=20), quarter)
    assert (none, complete) == ([], False)


async def test_a_row_without_its_database_can_only_be_scored_as_a_link(preparer: ExamplePreparer, source: OpenDataSet):
    rows = await made(preparer, source, 2)
    absent: list[Row] = [{**row, "executable": False} for row in rows]
    link = next(row for row in absent if row["task"] == "schema_linking")
    assert await TASKS["schema_linking"].score(link["completion"][0]["content"], link, preparer.judge) == 1.0
    with pytest.raises(DatasetError, match="score executable rows only"):
        await TASKS["text_to_sql"].score("SELECT 1", absent[0], preparer.judge)
