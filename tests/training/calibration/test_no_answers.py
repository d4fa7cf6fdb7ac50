"""Questions in three situations: as they are, with a hidden column, of another database."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from route_sql.agents import no_answer
from route_sql.testing import ScriptedModel
from route_sql.training.calibration.no_answers import (
    ask_in_situations,
    hidden_column,
    read_asked,
)
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.datasets.examples import Example

PAY = "SELECT pay FROM person WHERE name = 'Ida'"


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[OpenDataSet]:
    for name, script in {
        "staff": "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, pay REAL)",
        "zoo": "CREATE TABLE animal (id INTEGER PRIMARY KEY, species TEXT)",
    }.items():
        with closing(sqlite3.connect(tmp_path / f"{name}.sqlite")) as connection:
            connection.execute(script)
    log = tmp_path / "log.csv"
    log.write_text(f'database,question,sql\nstaff,What does Ida earn?,"{PAY}"\nzoo,All kinds,SELECT * FROM animal\n')
    async with open_data_set(DataSet("log", log, tmp_path)) as opened:
        yield opened


async def test_each_question_is_asked_in_its_situations_and_a_stopped_run_resumes(
    source: OpenDataSet, tmp_path: Path
) -> None:
    def reply(task: str, prompt: str) -> str:
        return PAY if "pay REAL" in prompt else no_answer.write("no column for pay")

    lines = tmp_path / "situations.jsonl"
    model = ScriptedModel(history=[], otherwise=reply, logprob=-0.1)
    found = await ask_in_situations(model, "scripted", source, lines, lambda *_: None)
    of_staff = {each.situation: each.signals["declined"] for each in found if each.database == "staff"}
    assert of_staff == {"answerable": 0.0, "hidden_column": 1.0, "other_database": 1.0}
    assert {each.situation for each in found if each.database == "zoo"} == {"answerable", "other_database"}
    assert all(0 <= each.signals["doubt"] <= 1 for each in found)
    calls = len(model.history)
    assert await ask_in_situations(model, "scripted", source, lines, lambda *_: None) == found == read_asked(lines)
    assert len(model.history) == calls


async def test_only_a_column_that_is_named_and_no_key_is_hidden(source: OpenDataSet) -> None:
    schema = await source.catalog.get("staff").schema()
    found = {hidden_column(Example(0, "staff", "q", "", PAY), schema, Random(seed)) for seed in range(20)}
    assert found == {"person.pay", "person.name"}
    for sql in ("SELECT * FROM person", "SELECT id FROM person", "no SQL"):
        assert hidden_column(Example(0, "staff", "q", "", sql), schema, Random(1)) is None


async def test_questions_asked_at_the_same_time_come_in_the_order_of_their_indices(
    source: OpenDataSet, tmp_path: Path
) -> None:
    """The second question is asked in fewer situations, so it is done first."""
    lines = tmp_path / "situations.jsonl"
    model = ScriptedModel(otherwise=lambda task, prompt: PAY, logprob=-0.1)
    found = await ask_in_situations(model, "scripted", source, lines, lambda *_: None, concurrency=2)
    assert [each.index for each in read_asked(lines)] == [1, 1, 0, 0, 0]
    assert [each.index for each in found] == [0, 0, 0, 1, 1]
    one_by_one = await ask_in_situations(model, "scripted", source, tmp_path / "slow.jsonl", lambda *_: None)
    assert found == one_by_one


async def test_lines_of_questions_that_are_not_asked_now_do_not_count(source: OpenDataSet, tmp_path: Path) -> None:
    lines = tmp_path / "situations.jsonl"
    model, seen = ScriptedModel(otherwise=lambda task, prompt: PAY, logprob=-0.1), []
    await ask_in_situations(model, "scripted", source, lines, lambda *_: None)
    less = replace(source, examples=source.examples[:1])
    found = await ask_in_situations(model, "scripted", less, lines, lambda *counts: seen.append(counts))
    assert {each.index for each in found} == {0} and seen == [(1, 1)]
