"""A run is recorded, and run again without model and database; a replay says where it diverges."""

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest

from route_sql.graph.confidence import Calibration, Logistic
from route_sql.graph.context import Context
from route_sql.graph.recording import FILE, Recording, read_recording, record_run, write_recording
from route_sql.graph.replaying import replay_run
from route_sql.graph.state import Question
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome
from route_sql.tools.errors import InvalidInput

QUESTION = Question(question="Who in Bergen bought late?", database="shop", evidence="late is February")
LACKING = "SELECT city FROM sale WHERE day > '2024-02-01'"
NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"


async def recorded(model: ScriptedModel, catalog: Catalog, context: Context | None = None, **more: Any) -> Recording:
    _, recording = await record_run(model, catalog, QUESTION, context, **more)
    return recording


async def repaired(model: ScriptedModel, catalog: Catalog, folder: Path) -> Recording:
    model.enqueue("sql", LACKING, NAMES).enqueue("link", '{"customer": ["city"]}').enqueue("verdict", "verdict: right")
    write_recording(folder, await recorded(model, catalog, Context(max_corrections=1)))
    return read_recording(folder)


async def test_a_replay_is_the_same_run_without_model_and_database(
    model: ScriptedModel, catalog: Catalog, shop: Path, tmp_path: Path
) -> None:
    model.logprob = -0.25
    recording = await repaired(model, catalog, tmp_path / "kept")
    await catalog.close()
    os.remove(shop)
    replay = await replay_run(recording)
    assert replay.divergences == [] and replay.answer is not None
    for key in ("sql", "rows", "confidence", "calibrated", "doubts", "notes", "status"):
        assert replay.answer[key] == recording["answer"][key], key
    assert [each["node"] for each in replay.answer["ledger"]] == [e["node"] for e in recording["answer"]["ledger"]]
    assert "customer.city = 'Bergen'" in recording["notes"]


@pytest.mark.parametrize("strategy", ["single", "paper", "adaptive"])
async def test_every_strategy_is_replayed(model: ScriptedModel, catalog: Catalog, strategy: Any) -> None:
    if strategy == "paper":
        model.enqueue("link", "{}").enqueue("verdict", "verdict: right")
    model.enqueue("sql", *[NAMES] * (1 if strategy == "single" else 2))
    recording = await recorded(model, catalog, Context(strategy=strategy))
    assert (await replay_run(recording)).divergences == []


@pytest.mark.parametrize("context", [None, Context(withhold_from=0.7), Context(withhold=False)])
async def test_a_replay_withholds_sql_as_the_run_did(
    model: ScriptedModel, catalog: Catalog, context: Context | None
) -> None:
    likely, even = Logistic(intercept=1.0, weights={}, usual={}), Logistic(intercept=0.0, weights={}, usual={})
    calibration = Calibration(alone=even, compared=even, unanswerable=likely, withhold=0.9, correct_rows=False)
    withheld = context is not None and context.withhold
    model.enqueue("sql", *([NAMES] if withheld else [NAMES, "SELECT id FROM customer"]))
    recording = await recorded(model, catalog, context, calibration=calibration)
    assert recording["answer"]["status"] == ("unanswerable" if withheld else "ok")
    assert (await replay_run(recording)).divergences == [] and not model.leftover


async def test_what_a_caller_may_not_see_is_not_recorded(
    model: ScriptedModel, catalog: Catalog, tmp_path: Path
) -> None:
    model.enqueue("sql", "SELECT name FROM customer")
    recording = await recorded(model, catalog, Context(strategy="single", hide=("customer.city", "sale")))
    text = write_recording(tmp_path / "kept", recording).read_text()
    assert "Bergen" not in text.replace(QUESTION["question"], "") and "sale" not in text.replace('"sale"\n', "")
    assert (await replay_run(recording)).divergences == []


async def test_a_changed_prompt_is_named(model: ScriptedModel, catalog: Catalog, tmp_path: Path) -> None:
    recording = await repaired(model, catalog, tmp_path / "kept")
    recording["notes"] = ["customer.city = 'Oslo'"]
    replay = await replay_run(recording)
    assert replay.answer is not None
    first = replay.divergences[0]
    assert first.startswith("draft: line ") and "'Oslo'" in first and "'Bergen'" in first


async def test_a_reply_that_is_lacking_ends_the_replay(model: ScriptedModel, catalog: Catalog, tmp_path: Path) -> None:
    recording = await repaired(model, catalog, tmp_path / "kept")
    recording["exchanges"] = recording["exchanges"][:1]
    replay = await replay_run(recording)
    assert replay.answer is None
    assert replay.divergences == ["link_schema: asks the model, but no further reply of it was recorded"]


async def test_a_query_that_is_lacking_ends_the_replay(model: ScriptedModel, catalog: Catalog, tmp_path: Path) -> None:
    recording = await repaired(model, catalog, tmp_path / "kept")
    recording["exchanges"][0]["reply"] = "SELECT 1"
    replay = await replay_run(recording)
    assert replay.answer is None and replay.divergences == ["execute: runs a query that was not recorded: 'SELECT 1'"]


async def test_another_answer_is_named(model: ScriptedModel, catalog: Catalog, tmp_path: Path) -> None:
    recording = await repaired(model, catalog, tmp_path / "kept")
    recording["answer"]["confidence"] = 0.125
    recording["exchanges"].append(recording["exchanges"][0])
    divergences = (await replay_run(recording)).divergences
    assert len(divergences) == 2 and divergences[0].endswith("recorded was '0.125'")
    assert divergences[1] == "draft: a recorded reply was not asked for"


async def test_the_callers_own_tools_are_recorded(model: ScriptedModel, catalog: Catalog) -> None:
    async def glossary(question: Question) -> str:
        return "late means after January"

    def doubtful(question: str, sql: str, outcome: Outcome) -> str | None:
        return "It is too simple." if "WHERE" not in sql else None

    model.enqueue("sql", "SELECT name FROM customer", NAMES).enqueue("link", "{}")
    model.enqueue("verdict", "verdict: right")
    context = Context(max_corrections=1)
    recording = await recorded(model, catalog, context, context_tools=[glossary], checks=[doubtful])
    assert "late means after January" in recording["notes"]
    assert (await replay_run(recording, checks=(doubtful,))).divergences == []
    assert (await replay_run(recording)).divergences, "without the check it is another run"


async def test_a_translated_query_and_its_first_try_are_recorded(model: ScriptedModel, tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE customer (name TEXT); INSERT INTO customer VALUES ('Ida')")
    ducks, _ = Catalog.from_url(file)
    model.enqueue("sql", "SELECT `name` FROM customer")
    async with ducks:
        recording = await recorded(model, ducks, Context(strategy="single"))
    assert [each["sql"] for each in recording["queries"]] == [
        "SELECT `name` FROM customer",
        'SELECT "name" FROM customer',
    ]
    assert recording["answer"]["status"] == "ok" and (await replay_run(recording)).divergences == []


@pytest.mark.parametrize("context", [Context(approve=True), Context(clarify=True)])
async def test_a_run_that_may_wait_for_a_person_is_refused(
    model: ScriptedModel, catalog: Catalog, context: Context
) -> None:
    with pytest.raises(InvalidInput, match="leave approve and clarify out"):
        await recorded(model, catalog, context)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"format": 2}', "nonsense"])
def test_a_damaged_recording_says_what_to_do(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / FILE).write_text(text)
    with pytest.raises(InvalidInput, match="name a folder of --record|record it again"):
        read_recording(tmp_path)


async def test_a_recording_survives_lone_surrogates_and_only_its_owner_reads_it(
    model: ScriptedModel, catalog: Catalog, tmp_path: Path
) -> None:
    model.enqueue("sql", "SELECT name FROM customer -- \ud800")
    recording = await recorded(model, catalog, Context(strategy="single"))
    folder = tmp_path / "kept"
    json.loads(write_recording(folder, recording).read_text())
    assert folder.stat().st_mode & 0o077 == 0
    assert read_recording(folder)["question"] == QUESTION
