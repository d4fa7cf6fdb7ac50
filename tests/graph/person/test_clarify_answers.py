"""A person answers a question back in own words, with a reading or with a candidate, and the run resumes."""

from typing import Any

import pytest
from langgraph.types import Command
from support.clarify_desk import THREAD, Desk, prompt

from route_sql.graph.context import Context
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

SQL = "SELECT 1"
NAMES = ["customer.name", "supplier.name"]
SPRINGFIELD = [f"town.town = 'Springfield' AND town.state = '{state}'" for state in ("Illinois", "Missouri")]


@pytest.mark.parametrize(
    "said",
    [
        {"evidence": "the names of\nsuppliers"},
        {"evidence": "the names of suppliers", "reading": ""},
        {"reading": None, "evidence": "the names of suppliers"},
        {"decisions": [{"type": "respond", "message": "the names of suppliers"}]},
    ],
)
async def test_a_person_may_answer_in_own_words(model: ScriptedModel, trade: Catalog, said: Any) -> None:
    desk = Desk(model, trade)
    await desk.ask("What are the names?", "now")
    model.enqueue("sql", SQL)
    result = await desk.answer(said)
    assert "Evidence: the names of suppliers; now" in prompt(model)
    assert result.value["notes"] == ["A person said: the names of suppliers"]


@pytest.mark.parametrize(
    "said",
    [True, False, 1, "", " ", "town.state", [NAMES[0]], {"reading": "name"}, {"reading": 0}, {"evidence": " "},
     {"evidence": 1}, {"reading": NAMES[0], "evidence": "suppliers"}, {"reading": NAMES[0], "more": 1},
     {"reading": [NAMES[0]]}, {"decisions": []}, {"decisions": [{"type": "approve"}]}, {"type": "approve"},
     {"decisions": [{"type": "respond", "message": ""}]}, {"decisions": [{"type": "respond", "message": "a"}] * 2}],
)  # fmt: skip
async def test_another_answer_is_refused_and_the_run_waits(model: ScriptedModel, trade: Catalog, said: Any) -> None:
    desk = Desk(model, trade)
    waiting = (await desk.ask("What are the names?")).interrupts
    with pytest.raises(InvalidInput, match=r"\{'reading': '...'\}.* The run still waits"):
        await desk.answer(said)
    assert (await desk.graph.aget_state(THREAD)).interrupts == waiting and not model.history
    model.enqueue("sql", SQL)
    assert (await desk.answer(NAMES[0])).value["status"] == "ok"


async def test_long_evidence_hides_no_answer(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade)
    await desk.ask("What are the names?", "x" * 5_000)
    model.enqueue("sql", SQL)
    await desk.answer(NAMES[1])
    assert f'"name" refers to {NAMES[1]}; xxx' in prompt(model)


async def test_two_unclear_words_are_asked_one_after_the_other(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade)
    assert (await desk.ask("Which name has Springfield?")).interrupts[0].value["readings"] == [*NAMES]
    second = await desk.answer(NAMES[0])
    assert second.interrupts[0].value["readings"] == SPRINGFIELD
    model.enqueue("sql", SQL)
    await desk.answer(SPRINGFIELD[1])
    assert f'"Springfield" refers to {SPRINGFIELD[1]}; "name" refers to {NAMES[0]}' in prompt(model)


async def test_nobody_is_asked_once_the_time_is_over(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade, seconds=30)
    assert (await desk.ask("What are the names?")).interrupts
    late = await desk.graph.aupdate_state(THREAD, {"spent": 30.0}, as_node="ground")
    result = await desk.graph.ainvoke(None, {**late, "recursion_limit": 9}, version="v2")
    assert not result.interrupts and result.value["status"] == "timeout"


async def test_a_run_that_asks_back_keeps_its_choices(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade, approve=True, hide=("customer.city",))
    await desk.ask("What are the names?")
    model.enqueue("sql", "SELECT * FROM customer")
    paused = await desk.answer(NAMES[0])
    assert paused.interrupts[0].value["approve"] == "SELECT * FROM customer"
    assert (await desk.answer(True)).value["columns"] == ["id", "name"]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (NAMES[0], "Evidence: active means status = 1\n"),
        ({"evidence": "the customers; all"}, "Evidence: the customers; all; active means status = 1\n"),
    ],
)
async def test_narrower_rights_remove_the_reading_and_leave_what_people_wrote(
    model: ScriptedModel, trade: Catalog, said: Any, kept: str
) -> None:
    desk = Desk(model, trade, strategy="adaptive", approve=True, without=("link_schema", "correct_noise"))
    await desk.ask("Which active name has Springfield?", "active means status = 1")
    await desk.answer(said)
    model.enqueue("sql", "SELECT nam FROM customer", "SELECT id FROM customer")
    await desk.answer(SPRINGFIELD[1])
    before = prompt(model)
    resumed: Any = Context(hide=("customer.name", "town.state"))
    await desk.graph.ainvoke(Command(resume=True), THREAD, context=resumed)
    assert SPRINGFIELD[1] in before and kept in prompt(model) and "refers to" not in prompt(model)


async def test_the_next_question_of_a_thread_knows_nothing_of_it(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade)
    await desk.ask("What are the names?")
    model.enqueue("sql", SQL, SQL)
    await desk.answer(NAMES[0])
    assert not (await desk.ask("How many sales were there?")).interrupts
    assert "Evidence" not in prompt(model)


class TestUnsure:
    """An answer that would be unsure is shown to the person, once."""

    ONE, TWO = "SELECT name FROM customer", "SELECT name FROM supplier"

    async def asked(self, model: ScriptedModel, trade: Catalog) -> tuple[Desk, Any]:
        model.enqueue("sql", self.ONE, self.TWO).enqueue("verdict", "verdict: right")
        desk = Desk(model, trade, strategy="adaptive", min_confidence=0.99)
        return desk, await desk.ask("What are the names of customers?")

    async def test_the_person_picks_a_candidate(self, model: ScriptedModel, trade: Catalog) -> None:
        desk, paused = await self.asked(model, trade)
        assert [*paused.interrupts[0].value["readings"]] == [self.ONE, self.TWO]
        answer = (await desk.answer({"reading": self.TWO})).value
        assert (answer["sql"], answer["status"], answer["confidence"]) == (self.TWO, "ok", 1.0)
        assert answer["rows"] == [["Norlys"], ["Vest"]] and len(answer["candidates"]) == 2

    async def test_no_doubt_is_about_the_query_that_was_not_picked(self, model: ScriptedModel, trade: Catalog) -> None:
        unread = "SELECT name FROM customer WHERE city = 'Oslo'"
        model.enqueue("sql", unread, self.TWO).enqueue("verdict", "verdict: right")
        desk = Desk(model, trade, strategy="adaptive", min_confidence=0.99)
        paused = await desk.ask("What are the names of customers?")
        assert paused.interrupts[0].value["readings"][0] == unread
        answer = (await desk.answer({"reading": self.TWO})).value
        assert not any("names a value" in doubt for doubt in answer["doubts"])

    async def test_the_agents_begin_again_with_the_persons_words(self, model: ScriptedModel, trade: Catalog) -> None:
        desk, _ = await self.asked(model, trade)
        third = "SELECT city FROM customer"
        model.enqueue("sql", third, self.ONE).enqueue("verdict", "verdict: right")
        result = await desk.answer({"evidence": "a name is a city"})
        assert not result.interrupts and "Evidence: a name is a city" in prompt(model)
        assert (result.value["sql"], result.value["status"]) == (third, "unsure")
        assert [each["node"] for each in result.value["ledger"]] == ["draft", "generate", "correct_noise"] * 2

    async def test_an_agent_that_is_switched_off_is_not_asked_then_either(
        self, model: ScriptedModel, trade: Catalog
    ) -> None:
        model.enqueue("sql", self.ONE, self.TWO)
        without = ("draft", "correct_noise")
        desk = Desk(model, trade, strategy="adaptive", min_confidence=0.99, without=without)
        await desk.ask("What are the names of customers?")
        answer = (await desk.answer({"evidence": "not those of suppliers"})).value
        assert (answer["sql"], [each["node"] for each in answer["ledger"]]) == (self.TWO, ["generate", "generate"])

    async def test_an_explained_question_is_not_withheld_for_the_first_candidates(
        self, model: ScriptedModel, trade: Catalog
    ) -> None:
        model.enqueue("sql", self.ONE, self.ONE, self.TWO, self.TWO)
        desk = Desk(model, trade, strategy="adaptive", min_confidence=0.99)
        await desk.ask("Which whatsits did the grumblers polish last whimsday?")
        answer = (await desk.answer({"evidence": "whatsits are whoppers"})).value
        assert (answer["sql"], answer["status"]) == (self.TWO, "unsure")

    async def test_without_clarify_the_answer_is_unsure(self, model: ScriptedModel, trade: Catalog) -> None:
        model.enqueue("sql", self.ONE)
        desk = Desk(model, trade, min_confidence=0.99, clarify=False)
        assert (await desk.ask("What are the names of customers?")).value["status"] == "unsure"


@pytest.mark.parametrize("value", ["no", None, 1])
def test_clarify_is_yes_or_no(value: Any) -> None:
    with pytest.raises(InvalidInput, match="clarify"):
        Context(clarify=value)


async def test_a_node_of_ones_own_can_ask(model: ScriptedModel, trade: Catalog) -> None:
    """A node that finds a question unanswerable writes a point, and the person is asked before anybody else."""
    desk = Desk(model, trade, clarify=False)
    model.enqueue("sql", SQL)
    await desk.ask("How heavy is the moon?")
    point = {"ask": "No table holds this. What is meant?", "words": "", "readings": []}
    before = [each async for each in desk.graph.aget_state_history(THREAD) if each.next == ("generate",)]
    edited = await desk.graph.aupdate_state(before[-1].config, {"unclear": [point]}, as_node="ground")
    paused = await desk.graph.ainvoke(None, edited, version="v2")
    assert paused.interrupts[0].value["clarify"] == point["ask"]
    with pytest.raises(InvalidInput):
        await desk.answer({"reading": "the moon"})
    model.enqueue("sql", SQL)
    assert (await desk.answer({"evidence": "the town of Salem"})).value["status"] == "ok"
    assert "Evidence: the town of Salem" in prompt(model)


async def test_a_thread_is_edited_as_clarify_at_every_checkpoint(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade)
    model.otherwise = lambda task, prompt: SQL
    await desk.ask("What are the names?")
    await desk.answer(NAMES[0])
    begun = [each async for each in desk.graph.aget_state_history(THREAD) if each.values.get("choices")]
    assert [each.next for each in begun] == [(), ("answer",), ("execute",), ("generate",), ("clarify",)]
    for snapshot in begun:
        edited = await desk.graph.aupdate_state(snapshot.config, {"unclear": []}, as_node="clarify")
        assert (await desk.graph.ainvoke(None, edited, version="v2")).value["status"] == "ok", snapshot.next
