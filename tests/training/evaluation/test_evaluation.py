import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from route_sql.graph.state import Answer, Question
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import RouteError
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.evaluate import evaluate_examples
from route_sql.training.evaluation.run_log import JSON, meta_path, read_run

SETTINGS: dict[str, JSON] = {"strategy": "single", "model": "tiny", "seed": 0}
Script = dict[str, str | None | Exception]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "single.jsonl"


def indices(out: Path) -> list[int]:
    return [line["index"] for line in read_run(out)]


async def test_a_run_from_beginning_to_end(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    gold_script["How many customers are there?"] = "SELECT count(*) FROM product"
    gold_script["Who bought a desk?"] = None
    ask = scripted(gold_script)
    summary = await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS)
    assert summary["ex"] == pytest.approx(4 / 6)
    assert summary["by_tables"] == {
        "1": {"n": 3, "ex": pytest.approx(2 / 3)},
        "2": {"n": 2, "ex": 1.0},
        "3+": {"n": 1, "ex": 0.0},
    }
    assert summary["status"] == {"ok": 5, "error": 1}
    assert summary["calls_per_question"] == 2
    assert summary["prompt_tokens_per_question"] == 200
    assert summary["computed_prompt_tokens_per_question"] == 50
    assert summary["cached_share"] == 0.75
    assert indices(out) == [0, 1, 3, 4, 5, 6]
    wrong = read_run(out)[0]
    assert (wrong["correct"], wrong["reason"]) == (False, "values differ from the gold's")
    assert wrong["candidates"] == [{"agent": "generate", "sql": "SELECT count(*) FROM product", "status": "ok"}]


async def test_the_gold_is_not_asked(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    ask = scripted(gold_script)
    evident = Example(7, "shop", examples[0].question, "customers are in customer", examples[0].sql)
    await evaluate_examples(ask, [examples[0], evident], catalog, out, settings=SETTINGS)
    assert ask.asked == [
        {"question": "How many customers are there?", "database": "shop"},
        {
            "question": "How many customers are there?",
            "database": "shop",
            "evidence": "customers are in customer",
        },
    ]


async def test_an_answer_that_is_an_error_is_wrong(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    ask = scripted(gold_script, status="error")
    assert (await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS))["ex"] == 0


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_as_many_at_once_as_wanted(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path, concurrency: int
) -> None:
    ask = scripted(gold_script)
    await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS, concurrency=concurrency)
    assert ask.most_at_once == concurrency
    assert sorted(indices(out)) == [0, 1, 3, 4, 5, 6]


async def test_what_is_raised_stops_the_run_and_the_rest_is_asked_on_resuming(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    broken: Script = {**gold_script, "Products from cheap to dear": RouteError("the server is gone")}
    with pytest.raises(RouteError, match="the server is gone"):
        await evaluate_examples(scripted(broken), examples, catalog, out, settings=SETTINGS)
    assert indices(out) == [0, 1]
    ask, reported = scripted(gold_script), []
    summary = await evaluate_examples(
        ask, examples, catalog, out, settings=SETTINGS, progress=lambda *figures: reported.append(figures)
    )
    assert [question["question"] for question in ask.asked] == [one.question for one in examples[2:]]
    assert (summary["n"], summary["ex"]) == (6, 1.0)
    assert reported == [(2, 6, 2), (3, 6, 3), (4, 6, 4), (5, 6, 5), (6, 6, 6)]


async def test_a_finished_run_asks_nothing_more(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    first = await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    ask = scripted({})
    assert await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS) == first
    assert ask.asked == []


async def test_a_cancelled_run_resumes_without_loss_or_repetition(
    gold_script: Script, scripted: Any, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    reached, answers = asyncio.Event(), scripted(gold_script)

    async def stalls_at_the_fourth(question: Question) -> Answer:
        if question["question"] == examples[3].question:
            reached.set()
            await asyncio.Event().wait()
        answer: Answer = await answers(question)
        return answer

    run = asyncio.create_task(evaluate_examples(stalls_at_the_fourth, examples, catalog, out, settings=SETTINGS))
    await reached.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert indices(out) == [0, 1, 3]
    await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    assert indices(out) == [0, 1, 3, 4, 5, 6]


async def test_cancelling_at_any_moment_keeps_lines_whole(
    gold_script: Script, scripted: Any, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    for moment in range(12):
        run = asyncio.create_task(
            evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS, concurrency=2)
        )
        await asyncio.sleep(moment * 0.002)
        run.cancel()
        await asyncio.wait([run])
    await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    assert sorted(json.loads(line)["index"] for line in out.read_text().splitlines()) == [0, 1, 3, 4, 5, 6]


async def test_a_line_that_was_cut_off_is_asked_again(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    whole = out.read_bytes()
    out.write_bytes(whole[:-30])
    ask = scripted(gold_script)
    await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS)
    assert [question["question"] for question in ask.asked] == ["Who bought a desk?"]
    assert indices(out) == [0, 1, 3, 4, 5, 6]


async def test_a_damaged_line_is_not_passed_over(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join([lines[0], lines[1][:20] + b"\n", *lines[2:]]))
    with pytest.raises(EvaluationError, match="line 2 is not a line of a run"):
        await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)


@pytest.mark.parametrize(
    ("settings", "reported"),
    [
        ({**SETTINGS, "strategy": "paper"}, 'strategy was "single", is "paper"'),
        ({"strategy": "single", "model": "tiny"}, "seed was 0, is null"),
        ({**SETTINGS, "agents": ["draft"]}, r'agents was null, is \["draft"\]'),
    ],
)
async def test_other_settings_are_refused(
    scripted: Any,
    gold_script: Script,
    examples: list[Example],
    catalog: Catalog,
    out: Path,
    settings: Mapping[str, Any],
    reported: str,
) -> None:
    await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    before = out.read_bytes()
    with pytest.raises(EvaluationError, match=reported):
        await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=settings)
    assert out.read_bytes() == before


async def test_another_rule_of_scoring_or_other_questions_are_refused(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    ask = scripted(gold_script)
    await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS)
    with pytest.raises(EvaluationError, match='metric was "spider", is "bird"'):
        await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS, metric="bird")
    with pytest.raises(EvaluationError, match="keep_distinct was false, is true"):
        await evaluate_examples(ask, examples, catalog, out, settings=SETTINGS, keep_distinct=True)
    with pytest.raises(EvaluationError, match=r"questions differ \(6 were asked, 5 now\)"):
        await evaluate_examples(ask, examples[1:], catalog, out, settings=SETTINGS)


async def test_a_file_that_is_no_run_is_left_alone(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    out.parent.mkdir()
    out.write_text("my notes")
    for meta in (None, "[]", '{"settings": 3}', "{"):
        if meta is not None:
            meta_path(out).write_text(meta)
        with pytest.raises(EvaluationError, match="name another file"):
            await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)
    assert out.read_text() == "my notes"


async def test_a_file_that_another_process_writes_is_refused(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    out.parent.mkdir()
    with FileLock(f"{out}.lock"), pytest.raises(EvaluationError, match="another process is writing"):
        await evaluate_examples(scripted(gold_script), examples, catalog, out, settings=SETTINGS)


async def test_a_place_that_cannot_be_written(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EvaluationError, match="can't be written"):
        await evaluate_examples(
            scripted(gold_script), examples, catalog, tmp_path / "file" / "run.jsonl", settings=SETTINGS
        )
    with pytest.raises(EvaluationError, match="doesn't say of which run|can't be written"):
        await evaluate_examples(scripted(gold_script), examples, catalog, tmp_path, settings=SETTINGS)


async def test_odd_characters_survive(
    scripted: Any, gold_script: Script, examples: list[Example], catalog: Catalog, out: Path
) -> None:
    odd = "SELECT 'a\u2028b\r\n\x0b\udc80é'"
    ask = scripted({**gold_script, examples[0].question: odd})
    await evaluate_examples(ask, examples[:2], catalog, out, settings=SETTINGS)
    assert read_run(out)[0]["sql"] == odd
    assert indices(out) == [0, 1]


async def test_nothing_to_ask(scripted: Any, examples: list[Example], catalog: Catalog, out: Path) -> None:
    with pytest.raises(EvaluationError, match="at least one question"):
        await evaluate_examples(scripted({}), [], catalog, out, settings=SETTINGS)
    with pytest.raises(EvaluationError, match="concurrency of 1"):
        await evaluate_examples(scripted({}), examples, catalog, out, settings=SETTINGS, concurrency=0)


async def test_gold_that_fails_is_counted(scripted: Any, examples: list[Example], catalog: Catalog, out: Path) -> None:
    broken = Example(0, "shop", "What?", "", "SELECT nothing FROM customer", difficulty="simple")
    ask = scripted({"What?": "SELECT 1", examples[1].question: examples[1].sql})
    summary = await evaluate_examples(ask, [broken, examples[1]], catalog, out, settings=SETTINGS)
    assert (summary["ex"], summary["gold_faults"]) == (0.5, 1)
    assert summary["by_difficulty"] == {"simple": {"n": 1, "ex": 0.0}}
