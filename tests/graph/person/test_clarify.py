"""The graph asks back where a word fits several columns, cells or rows equally well, and only there."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

TRADE = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE supplier (id INTEGER PRIMARY KEY, name TEXT, city TEXT, list_price REAL, sale_price REAL);
CREATE TABLE sale (
    id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), supplier_id INTEGER REFERENCES supplier(id),
    day TEXT
);
CREATE TABLE town (id INTEGER PRIMARY KEY, town TEXT, state TEXT, people INTEGER);
CREATE TABLE doctor (id INTEGER PRIMARY KEY, full_name TEXT, kind TEXT);
CREATE VIEW nearby AS SELECT name, city FROM customer WHERE city = 'Oslo';
CREATE TABLE pilot (id INTEGER PRIMARY KEY, full_name TEXT);
INSERT INTO pilot VALUES (1, 'Eva Berg'), (2, 'Max Klein');
CREATE TABLE airport (id INTEGER PRIMARY KEY, title TEXT, place TEXT);
INSERT INTO customer VALUES (1, 'Ida', 'Bergen'), (2, 'Ole', 'Oslo'), (3, 'Una', 'Bergen');
INSERT INTO supplier VALUES (1, 'Norlys', 'Bergen', 2.0, 1.0), (2, 'Vest', 'Molde', 3.0, 2.0);
INSERT INTO sale VALUES (1, 1, 1, '2024-01-05'), (2, 1, 2, '2024-02-01'), (3, 3, 1, '2024-02-03');
INSERT INTO town VALUES (1, 'Springfield', 'Illinois', 115000), (2, 'Springfield', 'Missouri', 169000),
    (3, 'Riverside', 'Iowa', 1000), (4, 'Salem', 'Oregon', 175000);
INSERT INTO doctor VALUES (1, 'John Smith', 'surgeon'), (2, 'Anna Smith', 'dentist'), (3, 'Eva Berg', 'dentist');
INSERT INTO airport VALUES (1, 'Alton', 'Alton'), (2, 'Kimball', 'Kimball');
"""
SQL = "SELECT 1"
THREAD: Any = {"configurable": {"thread_id": "1"}}
NAMES = ["customer.name", "supplier.name"]
BERGEN = ["customer.city = 'Bergen'", "supplier.city = 'Bergen'"]
SPRINGFIELD = [f"town.town = 'Springfield' AND town.state = '{state}'" for state in ("Illinois", "Missouri")]
SMITH = ["doctor.full_name = 'John Smith'", "doctor.full_name = 'Anna Smith'"]

UNCLEAR = [
    ("What are the names?", "name", NAMES),
    ("List the name for each sale.", "name", NAMES),
    ("Show name and day of all sales.", "name", NAMES),
    ("Show the name where a customer buys from a supplier.", "name", NAMES),
    ("Which city comes first?", "city", ["customer.city", "supplier.city"]),
    ("What is the highest price of a supplier?", "price", ["supplier.list_price", "supplier.sale_price"]),
    ("How many are in Bergen?", "Bergen", BERGEN),
    ("How many sales went to bergen?", "bergen", BERGEN),
    ("How many people does Springfield have?", "Springfield", SPRINGFIELD),
    ("In which state is the town 'Springfield'?", "Springfield", SPRINGFIELD),
    ("Since when is Eva Berg here?", "Eva Berg", ["doctor.full_name = 'Eva Berg'", "pilot.full_name = 'Eva Berg'"]),
    ("Name?", "name", NAMES),
    ("Which kind is Dr. Smith?", "Smith", SMITH),
]
CLEAR = [
    "What are the names of the customers?",
    "List each customer's name.",
    "What are the supplier names?",
    "What are the names of customers who bought from a supplier?",
    "List the names of customers and suppliers.",
    "What is the sale price of Norlys?",
    "Which price is lower, the list price or the sale price?",
    "How many customers are in Bergen?",
    "Which supplier in Bergen is the cheapest?",
    "How many towns are called Springfield?",
    "How many people does Springfield in Illinois have?",
    "How many people does Salem have?",
    "Which kind is John Smith?",
    "Which kind is Dr. Eva Berg?",
    "Is doctor Eva Berg a surgeon?",
    "Show everybody called Eva Berg, whether doctor or pilot.",
    "Which cities do customers and suppliers have?",
    "Which cities occur among the customers but not among the suppliers?",
    "Which customer and supplier have the same city?",
    "Name the sales of May.",
    "Who of the customers is in Oslo?",
    "Which doctors are called Smith?",
    "How many sales were there?",
    "On which day did Ida buy?",
    "In which place is Alton?",
    "Is there a sale for every customer_id?",
    "",
]


@pytest.fixture
async def trade(tmp_path: Path) -> AsyncIterator[Catalog]:
    with closing(sqlite3.connect(tmp_path / "trade.sqlite")) as connection:
        connection.executescript(TRADE)
    catalog, _ = Catalog.from_url(tmp_path / "trade.sqlite")
    async with catalog:
        yield catalog


class Desk:
    """A thread in which a person is asked back."""

    def __init__(self, model: ScriptedModel, catalog: Catalog, **choices: Any) -> None:
        self.graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
        self.context = Context(**{"strategy": "single", "clarify": True, **choices})

    async def ask(self, question: str, evidence: str = "") -> Any:
        asked = {"question": question or "?", "database": "trade", "evidence": evidence}
        return await self.graph.ainvoke(asked, THREAD, context=self.context, version="v2")

    async def answer(self, said: Any) -> Any:
        return await self.graph.ainvoke(Command(resume=said), THREAD, version="v2")


def prompt(model: ScriptedModel) -> str:
    return str(model.history[-1][1][-1].content)


@pytest.mark.parametrize(("question", "words", "readings"), UNCLEAR)
async def test_an_unclear_question_is_asked_back(
    model: ScriptedModel, trade: Catalog, question: str, words: str, readings: list[str]
) -> None:
    desk = Desk(model, trade)
    (waiting,) = (await desk.ask(question)).interrupts
    assert waiting.value == {"clarify": f'What does "{words}" refer to?', "readings": readings, "database": "trade"}
    assert waiting.response_schema["additionalProperties"] is False
    assert readings in [each.get("enum") for each in waiting.response_schema["properties"]["reading"]["anyOf"]]
    assert not model.history, "nobody is asked before the person"
    model.enqueue("sql", SQL)
    result = await desk.answer({"reading": readings[1]})
    assert not result.interrupts and result.value["status"] == "ok"
    assert f'Evidence: "{words}" refers to {readings[1]}' in prompt(model)
    assert any(readings[1] in note for note in result.value["notes"])


@pytest.mark.parametrize("question", CLEAR)
async def test_a_clear_question_is_not(model: ScriptedModel, trade: Catalog, question: str) -> None:
    model.enqueue("sql", SQL)
    result = await Desk(model, trade).ask(question)
    assert not result.interrupts, [each.value for each in result.interrupts]


@pytest.mark.parametrize(("question", "words", "readings"), UNCLEAR)
async def test_it_is_off_by_default(
    model: ScriptedModel, trade: Catalog, question: str, words: str, readings: list[str]
) -> None:
    model.enqueue("sql", SQL)
    asked = Question(question=question, database="trade")
    result = await build_graph(model, trade).ainvoke(asked, context=Context(strategy="single"), version="v2")
    assert not result.interrupts and "refers to" not in prompt(model)


async def test_evidence_that_speaks_of_the_words_settles_them(model: ScriptedModel, trade: Catalog) -> None:
    model.enqueue("sql", SQL)
    assert not (await Desk(model, trade).ask("What are the names?", "name refers to customer.name")).interrupts


@pytest.mark.parametrize("choices", [{"hide": ("supplier",)}, {"hide": ("supplier.city", "supplier.name")}])
async def test_a_reading_that_the_caller_may_not_see_is_none(
    model: ScriptedModel, trade: Catalog, choices: dict[str, Any]
) -> None:
    for question in ("What are the names?", "How many are in Bergen?"):
        model.enqueue("sql", SQL)
        assert not (await Desk(model, trade, **choices).ask(question)).interrupts


async def test_the_note_of_another_reading_is_dropped(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade)
    await desk.ask("How many are in Bergen?")
    model.enqueue("sql", SQL)
    await desk.answer(BERGEN[0])
    assert BERGEN[0] in prompt(model) and BERGEN[1] not in prompt(model)


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


async def test_a_run_that_asks_back_keeps_its_choices(model: ScriptedModel, trade: Catalog) -> None:
    desk = Desk(model, trade, approve=True, hide=("customer.city",))
    await desk.ask("What are the names?")
    model.enqueue("sql", "SELECT * FROM customer")
    paused = await desk.answer(NAMES[0])
    assert paused.interrupts[0].value["approve"] == "SELECT * FROM customer"
    assert (await desk.answer(True)).value["columns"] == ["id", "name"]


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

    async def test_the_agents_begin_again_with_the_persons_words(self, model: ScriptedModel, trade: Catalog) -> None:
        desk, _ = await self.asked(model, trade)
        third = "SELECT city FROM customer"
        model.enqueue("sql", third)
        result = await desk.answer({"evidence": "a name is a city"})
        assert not result.interrupts and "Evidence: a name is a city" in prompt(model)
        assert (result.value["sql"], result.value["status"]) == (third, "unsure")

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
