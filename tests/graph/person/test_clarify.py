"""The graph asks back where a word fits several columns, cells or rows equally well, and only there."""

from typing import Any

import pytest
from support.clarify_desk import Desk, prompt

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

SQL = "SELECT 1"
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
