"""Who is asked, in which order, and what comes out, for each strategy: the real graph on a real file."""

import json
from pathlib import Path

import pytest

from route_sql.graph.context import Context, Strategy
from route_sql.graph.state import Answer, Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
SAME_NAMES = "SELECT c.name FROM customer AS c WHERE c.city = 'Bergen'"
OTHER = "SELECT name FROM customer"
BROKEN = "SELECT nam FROM customer"
EMPTY = "SELECT name FROM customer WHERE city = 'Rome'"
THREE_TABLES = (
    "SELECT product.name FROM sale JOIN customer ON sale.customer_id = customer.id "
    "JOIN product ON sale.product_id = product.id WHERE customer.name = 'Ida'"
)
LINK = '{"customer": ["name", "city"]}'


async def ask(
    model: ScriptedModel, catalog: Catalog, strategy: Strategy = "adaptive", **choices: object
) -> tuple[Answer, list[str]]:
    graph = build_graph(model, catalog)
    question = Question(question="Who lives in Bergen?", database="shop")
    context = Context(strategy=strategy, **choices)  # type: ignore[arg-type]
    answer = (await graph.ainvoke(question, {"recursion_limit": 25}, context=context, version="v2")).value
    return answer, [entry["node"] for entry in answer["ledger"]]


async def test_single_asks_once(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", f"```sql\n{NAMES};\n```")
    answer, calls = await ask(model, catalog, "single")
    assert (answer["sql"], answer["status"], answer["rows"]) == (NAMES, "ok", [["Ida"], ["Una"]])
    assert calls == ["generate"]
    assert answer["ledger"][0] == {
        **answer["ledger"][0],
        "prompt_tokens": 10,
        "cached_tokens": 4,
        "completion_tokens": 3,
    }


async def test_paper_asks_in_the_published_order(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("link", LINK).enqueue("sql", OTHER, NAMES).enqueue("verdict", "verdict: right")
    answer, calls = await ask(model, catalog, "paper")
    assert sorted(calls[:2]) == ["draft", "link_schema"]
    assert calls[2:] == ["generate", "correct_noise"]
    assert answer["sql"] == NAMES


async def test_paper_takes_the_correction(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("link", LINK).enqueue("sql", OTHER, OTHER).enqueue("verdict", f"verdict: wrong\n{NAMES}")
    answer, _ = await ask(model, catalog, "paper")
    assert answer["sql"] == NAMES


async def test_paper_writes_hard_queries_again(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("link", "{}").enqueue("sql", OTHER, THREE_TABLES).enqueue("verdict", "verdict: right")
    model.enqueue("continuation", f"{THREE_TABLES} ORDER BY product.name")
    answer, calls = await ask(model, catalog, "paper")
    assert calls[-1] == "continue_writing"
    assert answer["rows"] == [["desk"], ["lamp"]]


async def test_adaptive_stops_when_two_candidates_agree(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, SAME_NAMES)
    answer, calls = await ask(model, catalog)
    assert calls == ["draft", "generate"]
    assert answer["sql"] == NAMES


async def test_adaptive_asks_the_linker_when_the_draft_fails(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", BROKEN, NAMES).enqueue("link", LINK).enqueue("verdict", f"verdict: wrong\n{SAME_NAMES}")
    answer, calls = await ask(model, catalog)
    assert calls[:3] == ["draft", "link_schema", "generate"]
    assert answer["sql"] == NAMES
    assert [candidate["status"] for candidate in answer["candidates"]][:2] == ["error", "ok"]


async def test_the_corrector_is_told_what_is_wrong(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", BROKEN, BROKEN).enqueue("link", LINK).enqueue("verdict", f"verdict: wrong\n{NAMES}")
    answer, _ = await ask(model, catalog)
    reported = str(model.history[model.tasks.index("verdict")][1][-1].content)
    assert "no such column: nam" in reported and "close to it: name" in reported
    assert answer["sql"] == NAMES


async def test_a_correction_that_fails_is_not_taken(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, OTHER).enqueue("verdict", f"verdict: wrong\n{BROKEN}")
    answer, _ = await ask(model, catalog)
    assert answer["sql"] == NAMES


async def test_a_majority_of_results_wins(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", OTHER, NAMES).enqueue("verdict", f"verdict: wrong\n{SAME_NAMES}")
    answer, _ = await ask(model, catalog)
    assert answer["sql"] == NAMES


async def test_a_verdict_in_no_form_changes_nothing(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", NAMES, OTHER).enqueue("verdict", f"This is wrong. {BROKEN}")
    answer, _ = await ask(model, catalog)
    assert answer["sql"] == NAMES
    assert len(answer["candidates"]) == 2


async def test_the_generator_is_shown_where_the_drafts_misplaced_columns_are(
    model: ScriptedModel, catalog: Catalog
) -> None:
    model.enqueue("link", "{}").enqueue("sql", "SELECT day FROM customer", NAMES).enqueue("verdict", "verdict: right")
    await ask(model, catalog)
    prompts = [str(messages[-1].content) for kind, messages in model.history if kind == "sql"]
    assert "product" in prompts[0] and "product" not in prompts[1]
    assert "sale" in prompts[1] and "customer_id" in prompts[1] and "day" in prompts[1]


async def test_an_empty_result_is_doubted_but_kept(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", EMPTY, EMPTY).enqueue("link", LINK).enqueue("verdict", "verdict: right")
    answer, calls = await ask(model, catalog)
    assert (answer["sql"], answer["status"]) == (EMPTY, "empty")
    assert calls == ["draft", "link_schema", "generate", "correct_noise"]


async def test_the_continuation_writer_goes_on_from_what_stands(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", BROKEN, BROKEN).enqueue("link", LINK).enqueue("verdict", "verdict: right")
    model.enqueue("continuation", NAMES)
    answer, calls = await ask(model, catalog)
    assert calls[-1] == "continue_writing"
    reported = str(model.history[-1][1][-1].content)
    assert "<<<SQL\nSELECT\nSQL>>>" in reported
    assert answer["sql"] == NAMES


async def test_nothing_readable_ends_in_an_error(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", "I can't.", "Sorry.").enqueue("link", "none").enqueue("continuation", "")
    answer, _ = await ask(model, catalog)
    assert (answer["sql"], answer["status"]) == (None, "error")
    assert answer["error"] == "The model wrote no SQL that could be read."


async def test_a_write_is_refused_and_the_file_unchanged(model: ScriptedModel, catalog: Catalog, shop: Path) -> None:
    before = shop.read_bytes()
    model.enqueue("sql", "DROP TABLE customer")
    answer, _ = await ask(model, catalog, "single")
    assert answer["status"] == "refused"
    assert shop.read_bytes() == before


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (("draft",), ["link_schema", "generate"]),
        (("link_schema",), ["draft", "generate"]),
        (("link_schema", "draft"), ["generate"]),
        (("generate",), ["draft", "link_schema"]),
    ],
)
async def test_agents_can_be_switched_off(
    model: ScriptedModel, catalog: Catalog, without: tuple[str, ...], expected: list[str]
) -> None:
    used = {"link": "link_schema" not in without, "sql": 2 - len({"draft", "generate"} & set(without))}
    model.enqueue("sql", *[NAMES] * used["sql"]).enqueue("link", *[LINK] * used["link"])
    _, calls = await ask(model, catalog, "paper", without=(*without, "correct_noise", "continue_writing"))
    assert sorted(calls) == sorted(expected)


async def test_rows_are_capped_and_the_answer_is_json(model: ScriptedModel, catalog: Catalog) -> None:
    model.enqueue("sql", OTHER)
    answer, _ = await ask(model, catalog, "single", row_limit=2)
    assert (len(answer["rows"]), answer["row_count"], answer["truncated"]) == (2, 3, True)
    assert json.loads(json.dumps(answer)) == answer


async def test_the_deadline_reaches_the_query(model: ScriptedModel, catalog: Catalog) -> None:
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r"
    model.enqueue("sql", endless)
    answer, _ = await ask(model, catalog, "single", deadline=0.2)
    assert answer["status"] == "timeout"


@pytest.mark.parametrize(
    ("sql", "reported"),
    [
        (BROKEN, "no such column: nam. There is no column nam; close to it: name"),
        ("SELECT c.nam FROM customer AS c", "no such column: c.nam."),
        ("SELECT name FROM custmer", "no such table: custmer."),
        ("SELECT t.* FROM customer AS c", "no such table: t. There is no table t; close to it: customer, product"),
        ("SELECT name FROM customer JOIN sale USING (id)", "cannot join using column id - column not present in both"),
    ],
)
async def test_the_corrector_reads_of_an_unknown_name_what_it_was_tuned_on(
    model: ScriptedModel, catalog: Catalog, sql: str, reported: str
) -> None:
    model.enqueue("link", "{}").enqueue("sql", sql, sql)
    model.enqueue("verdict", "verdict: right").enqueue("continuation", sql)
    answer, _ = await ask(model, catalog, "paper")
    assert answer["status"] == "error"
    prompts = [str(messages[-1].content) for task, messages in model.history if task == "verdict"]
    assert len(prompts) == 1 and reported in prompts[0] and "unknown column" not in prompts[0]
