"""A model that writes SQLite for another engine is helped, if what it means can be read and runs."""

import pytest

from route_sql.graph.context import Context
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.sql.transpiling import in_own_dialect

QUESTION = Question(question="Which names are there?", database="shop")


async def answer_to(sql: str, catalog: Catalog, model: ScriptedModel) -> Answer:
    model.enqueue("sql", sql)
    answer: Answer = await build_graph(model, catalog).ainvoke(QUESTION, context=Context(strategy="single"))  # type: ignore[assignment]
    return answer


@pytest.mark.parametrize("sql", ["SELECT `full name` FROM customer", "SELECT [full name] FROM customer"])
async def test_another_quoting_is_translated(sql: str, ducks: Catalog, model: ScriptedModel) -> None:
    answer = await answer_to(sql, ducks, model)
    assert (answer["status"], answer["rows"]) == ("ok", [["Ida"]])
    assert answer["sql"] == 'SELECT "full name" FROM customer'
    assert [candidate["sql"] for candidate in answer["candidates"]] == [answer["sql"]]


async def test_what_does_not_run_in_translation_either_stays_as_written(ducks: Catalog, model: ScriptedModel) -> None:
    answer = await answer_to("SELECT `no such name` FROM customer", ducks, model)
    assert (answer["status"], answer["sql"]) == ("refused", "SELECT `no such name` FROM customer")


async def test_a_repeat_of_a_translated_query_is_no_second_candidate(ducks: Catalog, model: ScriptedModel) -> None:
    foreign = "SELECT `full name` FROM customer"
    model.enqueue("sql", foreign, "SELECT id FROM customer").enqueue("verdict", f"verdict: wrong\n{foreign}")
    answer = await build_graph(model, ducks).ainvoke(QUESTION)
    assert [candidate["agent"] for candidate in answer["candidates"]] == ["draft", "generate"]


async def test_a_translation_meets_the_guard(ducks: Catalog, model: ScriptedModel) -> None:
    answer = await answer_to("SELECT `content` FROM read_text('/etc/passwd')", ducks, model)
    assert answer["rows"] == []
    assert answer["status"] in ("error", "refused")


@pytest.mark.parametrize("sql", ["SELECT a FROM t", "DELETE FROM `t`", "SELECT `a` FROM `t`; SELECT 1", "`", ""])
def test_only_one_query_that_the_dialect_can_not_read_is_translated(sql: str) -> None:
    assert in_own_dialect(sql, "postgres") is None
