"""Questions that the database can't answer: no SQL is given, and the reason is said."""

import json
from dataclasses import replace

import pytest

from route_sql.agents.brief import Wording
from route_sql.graph.confidence import Calibration, Logistic
from route_sql.graph.context import Context, Strategy
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
BERGEN = "Which customers live in Bergen?"
FOREIGN = "Show the salary of every senior engineer in Hamburg and Lyon"
NO_SALARY = "unanswerable: no column for salary"
EVEN = Logistic(intercept=0.0, weights={}, usual={})
BY_WORD = Logistic(intercept=-6.0, weights={"declined": 4.0, "unknown": 5.0}, usual={})
CALIBRATION = Calibration(alone=EVEN, compared=EVEN, unanswerable=BY_WORD, withhold=0.5, made_from="a test")


async def ask(
    catalog: Catalog,
    question: str,
    *replies: str,
    calibration: Calibration | None = None,
    context: Context | None = None,
    wording: Wording = "tuned",
    evidence: str = "",
) -> tuple[Answer, ScriptedModel]:
    model = ScriptedModel(history=[], otherwise=lambda task, _: "{}" if task == "link" else "no idea")
    model.enqueue("sql", *replies)
    graph = build_graph(model, catalog, calibration=calibration, wording=wording)
    asked = Question(question=question, database="shop", evidence=evidence)
    answer: Answer = (await graph.ainvoke(asked, context=context or Context(), version="v2")).value
    assert json.loads(json.dumps(answer)) == answer
    return answer, model


async def test_a_reason_in_place_of_sql_is_the_answer_after_one_call(catalog: Catalog) -> None:
    answer, model = await ask(catalog, FOREIGN, NO_SALARY)
    assert answer["status"] == "unanswerable" and len(model.history) == 1
    assert answer["error"] == "The database can't answer this question: no column for salary."
    assert (answer["sql"], answer["rows"], answer["confidence"]) == (None, [], 0.0)


async def test_with_withhold_false_the_reason_is_a_doubt(catalog: Catalog) -> None:
    answer, _ = await ask(catalog, FOREIGN, NO_SALARY, NAMES, context=Context(withhold=False))
    assert answer["status"] == "ok"
    assert "The database may not hold the answer: no column for salary." in answer["doubts"]


@pytest.mark.parametrize(("intercept", "is_said"), [(0.1, True), (-0.1, False)])
async def test_an_answer_is_doubted_from_a_probability_of_one_half(
    catalog: Catalog, intercept: float, is_said: bool
) -> None:
    likely = Logistic(intercept=intercept, weights={}, usual={})
    calibration = Calibration(alone=EVEN, compared=EVEN, unanswerable=likely, withhold=0.9)
    answer, _ = await ask(catalog, FOREIGN, NAMES, NAMES, calibration=calibration)
    assert answer["status"] == "ok"
    assert any("nothing in the database is named like salary" in doubt for doubt in answer["doubts"]) == is_said


@pytest.mark.parametrize(("threshold", "status"), [(None, "ok"), (0.8, "ok"), (0.7, "unanswerable"), (1.0, "ok")])
async def test_a_caller_may_choose_the_probability(catalog: Catalog, threshold: float | None, status: str) -> None:
    likely = Logistic(intercept=1.0, weights={}, usual={})  # a probability of 0.73
    calibration = Calibration(alone=EVEN, compared=EVEN, unanswerable=likely, withhold=0.9)
    replies = [NAMES] if status == "unanswerable" else [NAMES, NAMES]
    context = Context(withhold_from=threshold)
    answer, _ = await ask(catalog, FOREIGN, *replies, calibration=calibration, context=context)
    assert answer["status"] == status


@pytest.mark.parametrize("context", [Context(withhold_from=0.9999), Context(withhold=False, withhold_from=0.1)])
async def test_a_higher_one_than_the_calibrations_and_never_give_sql(catalog: Catalog, context: Context) -> None:
    answer, _ = await ask(catalog, FOREIGN, NO_SALARY, NAMES, NAMES, calibration=CALIBRATION, context=context)
    assert answer["status"] == "ok"


async def test_a_calibration_weighs_the_reason(catalog: Catalog) -> None:
    withheld, _ = await ask(catalog, FOREIGN, NO_SALARY, calibration=CALIBRATION)
    assert withheld["status"] == "unanswerable"
    answer, model = await ask(catalog, BERGEN, NO_SALARY, NAMES, NAMES, calibration=CALIBRATION)
    assert (answer["status"], answer["sql"]) == ("ok", NAMES)
    assert len(model.history) > 1


async def test_sql_is_withheld_where_an_answer_is_unlikely_all_the_same(catalog: Catalog) -> None:
    certain = Logistic(intercept=-1.0, weights={"foreign": 4.0}, usual={})
    calibration = Calibration(alone=EVEN, compared=EVEN, unanswerable=certain, withhold=0.5)
    answer, _ = await ask(catalog, FOREIGN, NAMES, calibration=calibration)
    assert answer["status"] == "unanswerable" and answer["candidates"] == []
    assert answer["error"] is not None and "nothing in the database is named like salary" in answer["error"]


BY_MISSING = replace(CALIBRATION, unanswerable=Logistic(intercept=-4.0, weights={"missing": 8.0}, usual={}))


async def test_a_query_on_a_column_that_no_table_has_is_a_sign(catalog: Catalog) -> None:
    salary = "SELECT T1.salary FROM customer AS T1"
    answer, model = await ask(catalog, BERGEN, salary, calibration=BY_MISSING)
    assert answer["status"] == "unanswerable" and len(model.history) == 1
    assert answer["error"] == "The database can't answer this question: no column for salary."
    answer, _ = await ask(catalog, BERGEN, "SELECT name FROM employee", calibration=BY_MISSING)
    assert answer["error"] == "The database can't answer this question: no table for employee."


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT city FROM sale", id="a column of another table"),
        pytest.param('SELECT name FROM customer WHERE city = "Oslo"', id="a text in double quotes"),
        pytest.param("SELECT name AS salary FROM customer ORDER BY salary", id="a name of its own"),
        pytest.param("WITH staff AS (SELECT name FROM customer) SELECT name FROM staff", id="a table of its own"),
    ],
)
async def test_other_names_are_no_sign(catalog: Catalog, sql: str) -> None:
    answer, _ = await ask(catalog, BERGEN, sql, NAMES, NAMES, calibration=BY_MISSING)
    assert answer["status"] == "ok"


async def test_an_irrelevant_question_is_withheld_if_the_candidates_disagree(catalog: Catalog) -> None:
    other = "SELECT id FROM customer"
    answer, _ = await ask(catalog, FOREIGN, NAMES, other, wording="instruct")
    assert answer["status"] == "unanswerable"
    agreeing, _ = await ask(catalog, FOREIGN, NAMES, NAMES, wording="instruct")
    assert agreeing["status"] == "ok"


@pytest.mark.parametrize(
    ("evidence", "status"), [("an engineer is a customer", "ok"), ("an engineer is an employee", "unanswerable")]
)
async def test_evidence_that_names_something_in_the_database_makes_a_question_relevant(
    catalog: Catalog, evidence: str, status: str
) -> None:
    other = "SELECT id FROM customer"
    answer, _ = await ask(catalog, FOREIGN, NAMES, other, wording="instruct", evidence=evidence)
    assert answer["status"] == status


@pytest.mark.parametrize("question", ["Zeige bitte alle Kunden, die in Bergen wohnen", "Who is the oldest?", BERGEN])
async def test_other_languages_short_and_relevant_questions_are_answered(catalog: Catalog, question: str) -> None:
    answer, _ = await ask(catalog, question, NAMES, "SELECT id FROM customer", wording="instruct")
    assert answer["status"] == "ok"


async def test_the_caller_can_refuse_to_have_sql_withheld(catalog: Catalog) -> None:
    answer, _ = await ask(catalog, FOREIGN, NO_SALARY, NAMES, context=Context(withhold=False))
    assert (answer["status"], answer["sql"]) == ("ok", NAMES)


@pytest.mark.parametrize("strategy", ["single", "paper"])
async def test_other_strategies_withhold_nothing(catalog: Catalog, strategy: Strategy) -> None:
    answer, _ = await ask(catalog, FOREIGN, NAMES, NAMES, context=Context(strategy=strategy), calibration=CALIBRATION)
    assert (answer["status"], answer["sql"]) == ("ok", NAMES)


async def test_single_gives_the_reason_as_an_error(catalog: Catalog) -> None:
    answer, _ = await ask(catalog, FOREIGN, NO_SALARY, context=Context(strategy="single"))
    assert answer["status"] == "error" and answer["error"] is not None
    assert "no column for salary" in answer["error"]


def test_the_choice_is_true_or_false() -> None:
    with pytest.raises(InvalidInput, match="withhold in the context must be true or false"):
        Context(withhold="no")  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "0.5", True])
def test_the_probability_is_a_number_from_0_to_1(share: object) -> None:
    with pytest.raises(InvalidInput, match="withhold_from in the context must be a number from 0 to 1"):
        Context(withhold_from=share)  # type: ignore[arg-type]


def test_no_caller_withholds_every_question_by_a_probability_of_0() -> None:
    with pytest.raises(InvalidInput, match="withhold_from in the context must be above 0"):
        Context(withhold_from=0)


async def test_nothing_of_it_is_left_for_the_next_question(catalog: Catalog) -> None:
    first, _ = await ask(catalog, FOREIGN, NO_SALARY)
    second, _ = await ask(catalog, BERGEN, NAMES, NAMES)
    assert (first["status"], second["status"]) == ("unanswerable", "ok")
