"""What a model is trained on is what the graph sends: prompts compared byte for byte."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from route_sql.agents import schema_linker
from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS
from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import PromptTask, ScriptedModel
from route_sql.training.datasets.data_set import DataSet, OpenDataSet, open_data_set
from route_sql.training.rows.building import TASKS
from route_sql.training.rows.training_example import ExamplePreparer
from route_sql.training.tasks.task import PreparedExample, Row, TaskName
from route_sql.training.tasks.text_to_sql import imperfect_link

PLACES = (0, 7, 10, 11, 13)
"""From one table to four, some with evidence, most with matched values."""
HARD = (10, 11, 13)


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[OpenDataSet]:
    build_demo_database(tmp_path / "clinic.sqlite")
    log = tmp_path / "log.jsonl"
    pairs = [
        {"question": q.question, "sql": q.sql, "database": "clinic", "evidence": q.evidence or ""} for q in QUESTIONS
    ]
    log.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    async with open_data_set(DataSet("log", log, tmp_path)) as opened:
        yield opened


async def prepared(source: OpenDataSet, place: int) -> PreparedExample:
    return await ExamplePreparer(source, 0, {}).prepare(source.examples[place])


def rows_of(example: PreparedExample, task: TaskName) -> dict[str, Row]:
    return {row["kind"]: row for row in TASKS[task].rows(example, Random(5))}


async def sent(source: OpenDataSet, place: int, **replies: list[str]) -> dict[PromptTask, list[BaseMessage]]:
    """The last prompt of each task that the graph sends under `paper`, given the model's replies."""
    model = ScriptedModel(history=[])
    for task, texts in replies.items():
        model.enqueue(task, *texts)  # type: ignore[arg-type]
    example = source.examples[place]
    question: Any = {"question": example.question, "database": "clinic", "evidence": example.evidence}
    await build_graph(model, source.catalog, wording="tuned").ainvoke(question, context=Context(strategy="paper"))
    return dict(model.history)


def plain(messages: list[BaseMessage]) -> list[tuple[str, str]]:
    roles = {"system": "system", "human": "user"}
    return [(roles[message.type], str(message.content)) for message in messages]


def prompt(row: Row) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in row["prompt"]]


@pytest.mark.parametrize("place", PLACES)
async def test_draft_link_and_linked_prompts_are_those_of_the_graph(source: OpenDataSet, place: int):
    example = await prepared(source, place)
    random = Random(5)
    link = imperfect_link(example.gold_link(), example.brief.schema, random)
    history = await sent(
        source,
        place,
        link=[schema_linker.write(link)],
        sql=[QUESTIONS[place].sql, QUESTIONS[place].sql],
        verdict=["verdict: right"],
        continuation=[QUESTIONS[place].sql] if place in HARD else [],
    )
    assert prompt(rows_of(example, "schema_linking")["full"]) == plain(history["link"])
    assert prompt(rows_of(example, "text_to_sql")["linked"]) == plain(history["sql"])


async def test_the_full_prompt_is_that_of_a_run_without_a_linker(source: OpenDataSet):
    example = await prepared(source, 0)
    model = ScriptedModel(history=[]).enqueue("sql", QUESTIONS[0].sql)
    question: Any = {"question": example.example.question, "database": "clinic"}
    await build_graph(model, source.catalog, wording="tuned").ainvoke(question, context=Context(strategy="single"))
    row = rows_of(example, "text_to_sql")["full"]
    assert prompt(row) == plain(model.history[0][1])
    assert "<<<NOTES\npatient.city = 'São Paulo'\nNOTES>>>" in row["prompt"][1]["content"]


@pytest.mark.parametrize("place", PLACES)
async def test_noise_correction_prompts_are_those_of_the_graph(source: OpenDataSet, place: int):
    rows = TASKS["noise_correction"].rows(await prepared(source, place), Random(5))
    assert {row["completion"][0]["content"].split("\n")[0] for row in rows} == {"verdict: right", "verdict: wrong"}
    for row in rows:
        history = await sent(
            source,
            place,
            link=["{}"],
            sql=[row["given"], row["given"]],
            verdict=["verdict: right"],
            continuation=["SELECT 1"],
        )
        assert prompt(row) == plain(history["verdict"])


async def test_continuations_of_nothing_and_of_a_whole_hard_query_are_those_of_the_graph(source: OpenDataSet):
    example = await prepared(source, 10)
    rows = {row["kind"]: row for seed in range(30) for row in TASKS["continuation_writing"].rows(example, Random(seed))}
    whole = await sent(
        source, 10, link=["{}"], sql=[example.gold] * 2, verdict=["verdict: right"], continuation=[example.gold]
    )
    assert prompt(rows["whole"]) == plain(whole["continuation"])
    bare = await sent(
        source, 10, link=["{}"], sql=["I can't."] * 2, continuation=[example.gold], verdict=["verdict: right"]
    )
    assert prompt(rows["bare"]) == plain(bare["continuation"])


async def test_a_misspelt_candidate_is_continued_where_the_graph_would(source: OpenDataSet):
    place = 8
    found = [await ExamplePreparer(source, seed, {}).prepare(source.examples[place]) for seed in range(12)]
    begun = "SELECT first_name, last_name FROM patient WHERE"
    example, failing = next(
        (one, ran)
        for one in found
        for ran in one.wrongs
        if ran.kind == "edit:misspelt_name" and ran.sql.startswith(begun)
    )
    only = replace(example, wrongs=(failing,))
    made = [row for seed in range(12) for row in TASKS["continuation_writing"].rows(only, Random(seed))]
    history = await sent(
        source, place, link=["{}"], sql=[failing.sql] * 2, verdict=["verdict: right"], continuation=[example.gold]
    )
    wrong = {row["given"]: row for row in made if row["kind"] == "wrong"}
    assert [prompt(row) for row in wrong.values()] == [plain(history["continuation"])]
