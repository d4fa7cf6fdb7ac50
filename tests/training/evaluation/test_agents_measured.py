from collections.abc import Callable

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.agent_effects import agent_effects, as_if_only
from route_sql.training.evaluation.run_log import Line, ProposedSQL
from route_sql.training.evaluation.scores.execution_accuracy import ExecutionAccuracy
from route_sql.training.evaluation.scores.linking_accuracy import mean_link_score, score_link, score_link_of_query


def proposed(agent: str, sql: str) -> ProposedSQL:
    return ProposedSQL(agent=agent, sql=sql, status="ok")


async def test_help_and_harm(make_line: Callable[..., Line], examples: list[Example], catalog: Catalog) -> None:
    right, wrong = "SELECT count(id) FROM customer", "SELECT count(*) FROM product"
    helped = [proposed("generate", wrong), proposed("correct_noise", right)]
    harmed = [
        proposed("generate", right),
        proposed("correct_noise", wrong),
        proposed("continue_writing", right),
    ]
    neither = [proposed("generate", wrong), proposed("correct_noise", "SELEC")]
    alone = [proposed("generate", right)]
    lines = [make_line(0, candidates=candidates) for candidates in (helped, harmed, neither, alone, [])]
    assert await agent_effects(lines, examples, ExecutionAccuracy(catalog)) == {
        "generate": {"candidates": 4, "right": 2, "help": 0, "harm": 0},
        "correct_noise": {"candidates": 3, "right": 1, "help": 1, "harm": 1},
        "continue_writing": {"candidates": 1, "right": 1, "help": 1, "harm": 0},
    }


async def test_what_the_first_agents_alone_would_answer(
    make_line: Callable[..., Line], examples: list[Example], catalog: Catalog
) -> None:
    right, wrong = "SELECT count(id) FROM customer", "SELECT count(*) FROM product"
    repaired = [proposed("draft", wrong), proposed("complete_joins", right), proposed("generate", wrong)]
    spoiled = [proposed("draft", right), proposed("generate", wrong), proposed("complete_joins", wrong)]
    later = [proposed("generate", right), proposed("draft", right)]
    lines = [make_line(0, candidates=candidates) for candidates in (repaired, spoiled, later, [])]

    async def answered(*agents: str) -> list[bool]:
        scorer = ExecutionAccuracy(catalog)
        return [line["correct"] for line in await as_if_only(agents, lines, examples, scorer)]

    assert await answered("draft") == [False, True, False, False]
    assert await answered("draft", "complete_joins") == [True, True, False, False]
    assert await answered("draft", "complete_joins", "generate") == [False, False, True, False]


async def test_effects_of_another_run_are_refused(
    make_line: Callable[..., Line], examples: list[Example], catalog: Catalog
) -> None:
    for line in (make_line(2), make_line(0, database="clinic")):
        with pytest.raises(EvaluationError, match="none of the 6 examples"):
            await agent_effects([line], examples, ExecutionAccuracy(catalog))
        with pytest.raises(EvaluationError, match="none of the 6 examples"):
            await as_if_only(["draft"], [line], examples, ExecutionAccuracy(catalog))


def test_a_link_compared_with_the_golds() -> None:
    score = score_link(
        {"CUSTOMER": ["ID", "name", "city"], "product": []},
        {"customer": ["id", "name"], "sale": ["customer_id", "id"]},
    )
    assert score == {
        "table_recall": 0.5,
        "table_precision": 0.5,
        "column_recall": 0.5,
        "column_precision": pytest.approx(2 / 3),
        "complete_tables": 0.0,
        "complete_columns": 0.0,
    }


def test_links_of_nothing() -> None:
    assert set(score_link({}, {}).values()) == {1.0}
    score = score_link({}, {"customer": ["id"]})
    assert (score["table_recall"], score["table_precision"], score["complete_tables"]) == (0.0, 1.0, 0.0)


async def test_a_link_compared_with_a_gold_query(catalog: Catalog, examples: list[Example]) -> None:
    schema = await catalog.get("shop").schema()
    score = score_link_of_query({"customer": ["name"], "sale": ["customer_id"]}, examples[3].sql, schema)
    assert score["complete_tables"] == 1.0
    assert score["column_recall"] == pytest.approx(2 / 3)
    assert score["column_precision"] == 1.0


def test_mean_link_score() -> None:
    gold = {"customer": ["id", "name"]}
    mean = mean_link_score([score_link(gold, gold), score_link({"customer": ["id"], "sale": []}, gold)])
    assert (mean["complete_tables"], mean["complete_columns"]) == (1.0, 0.5)
    assert (mean["table_precision"], mean["column_recall"]) == (0.75, 0.75)
    with pytest.raises(EvaluationError, match="no link"):
        mean_link_score([])
