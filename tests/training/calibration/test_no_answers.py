"""Learning when there is no answer: questions in three situations, the fit, and its figures."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from route_sql.agents import no_answer
from route_sql.graph.confidence import Calibration, Logistic
from route_sql.testing import ScriptedModel
from route_sql.training.calibration.no_answers import (
    AskedQuestion,
    Situation,
    ask_in_situations,
    hidden_column,
    no_answer_figures,
    read_asked,
)
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError

EVEN = Logistic(intercept=0.0, weights={}, usual={})
BY_WORD = Logistic(intercept=-1.0, weights={"declined": 2.0}, usual={})
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


def asked(situation: Situation, *, declined: bool) -> AskedQuestion:
    return AskedQuestion(0, "staff", situation, {"declined": float(declined)})


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


def test_figures_are_shares_by_situation() -> None:
    calibration = Calibration(alone=EVEN, compared=EVEN, unanswerable=BY_WORD, withhold=0.5)
    lines = [asked("answerable", declined=False)] * 3 + [asked("answerable", declined=True)]
    figures = no_answer_figures([*lines, asked("other_database", declined=True)], calibration)
    assert figures.withheld == {"answerable": 0.25, "other_database": 1.0}
    assert figures.count["answerable"] == 4


def test_a_calibration_that_never_learned_it_has_no_figures() -> None:
    with pytest.raises(EvaluationError, match="--unanswerable"):
        no_answer_figures([asked("answerable", declined=False)], Calibration(alone=EVEN, compared=EVEN))
