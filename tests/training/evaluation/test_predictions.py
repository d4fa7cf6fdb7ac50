import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from route_sql.tools.database.catalog import Catalog
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.evaluate import evaluate_examples
from route_sql.training.evaluation.figures.summary import summarise
from route_sql.training.evaluation.predictions import read_predictions, score_predictions
from route_sql.training.evaluation.run_log import read_run


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


async def scores(path: Path, examples: list[Example], catalog: Catalog, **options: Any) -> dict[int, bool]:
    lines = await score_predictions(path, examples, catalog, **options)
    return {line["index"]: line["correct"] for line in lines}


async def test_one_query_a_line(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    queries = [example.sql for example in examples]
    queries[1] = ""
    path = write(tmp_path / "p.sql", "\n".join(queries) + "\n")
    assert await scores(path, examples, catalog) == {0: True, 1: False, 3: True, 4: True, 5: True, 6: True}


async def test_the_official_text_with_databases(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    path = write(tmp_path / "p.txt", "".join(f"{example.sql}\tshop\r\n" for example in examples))
    lines = await score_predictions(path, examples, catalog)
    assert all(line["correct"] for line in lines)
    assert lines[0]["sql"] == "SELECT count(*) FROM customer"
    summary = summarise(lines)
    assert summary["ex"] == 1.0
    assert summary["calls_per_question"] is None
    assert summary["cached_share"] is None


async def test_a_tab_or_an_odd_separator_in_a_query_is_part_of_it(tmp_path: Path, examples: list[Example]) -> None:
    path = write(tmp_path / "p.txt", "SELECT 'a\u2028b'\x0b,\t1")
    assert read_predictions(path, examples[:1])[0].sql == "SELECT 'a\u2028b'\x0b,\t1"


async def test_text_for_the_whole_file_goes_by_place(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    queries = {example.index: example.sql for example in examples}
    path = write(tmp_path / "p.sql", "\n".join(queries.get(place, "left out") for place in range(7)))
    assert all((await scores(path, examples, catalog, total=7)).values())


@pytest.mark.parametrize("count", [0, 5, 8])
def test_another_number_of_lines_is_refused(tmp_path: Path, examples: list[Example], count: int) -> None:
    path = write(tmp_path / "p.sql", "SELECT 1\n" * count)
    with pytest.raises(EvaluationError, match=rf"{count} predictions for 6 questions \(or 7, the whole file\)"):
        read_predictions(path, examples, total=7)


def test_predictions_for_another_database_are_refused(tmp_path: Path, examples: list[Example]) -> None:
    clinic = Example(7, "clinic", "?", "", "SELECT 1")
    path = write(tmp_path / "p.sql", "SELECT 1\tclinic\nSELECT 1\tshop\n")
    with pytest.raises(EvaluationError, match="question 0 is for database 'clinic'"):
        read_predictions(path, [examples[0], clinic])


async def test_a_runs_lines_keep_their_costs(
    tmp_path: Path,
    scripted: Any,
    gold_script: dict[str, str | None | Exception],
    examples: list[Example],
    catalog: Catalog,
) -> None:
    gold_script[examples[3].question] = "SELECT name FROM customer"
    out = tmp_path / "run.jsonl"
    summary = await evaluate_examples(
        scripted(gold_script), examples, catalog, out, settings={"strategy": "single"}, concurrency=3
    )
    again = await score_predictions(out, examples, catalog)
    assert again == read_run(out)
    assert summarise(again) == summary


async def test_lines_by_index_in_any_order_and_number(
    tmp_path: Path, examples: list[Example], catalog: Catalog
) -> None:
    records = [{"index": example.index, "sql": example.sql} for example in reversed(examples[2:])]
    left_out = {"index": 2, "sql": "SELECT 1"}
    path = write(tmp_path / "p.jsonl", "\n".join(json.dumps(record) for record in [*records, left_out]))
    assert await scores(path, examples, catalog, total=7) == {6: True, 5: True, 4: True, 3: True}


@pytest.mark.parametrize(
    ("records", "reported"),
    [
        ([{"index": 0, "sql": "SELECT 1"}] * 2, "index 0 occurs twice"),
        ([{"index": 7, "sql": "SELECT 1"}], "index 7 occurs twice or is none"),
        ([{"index": -1, "sql": "SELECT 1"}], "index -1"),
        ([{"index": 2, "sql": "SELECT 1"}], "predictions for none of the 6"),
        ([{"index": 0, "query": "SELECT 1"}], "line 1 has no text or null under 'sql'"),
        ([{"index": 0, "sql": 3}], "line 1 has no text or null under 'sql'"),
        ([{"index": 0, "sql": "SELECT 1", "database": "clinic"}], "for database 'clinic'"),
        ([{"sql": "SELECT 1"}], "1 predictions for 6 questions"),
    ],
)
def test_lines_that_do_not_fit(tmp_path: Path, examples: list[Example], records: Any, reported: str) -> None:
    path = write(tmp_path / "p.jsonl", "\n".join(json.dumps(record) for record in records))
    with pytest.raises(EvaluationError, match=reported):
        read_predictions(path, examples, total=7)


def test_lines_that_are_not_json(tmp_path: Path, examples: list[Example]) -> None:
    path = write(tmp_path / "p.jsonl", '{"index": 0, "sql": "SELECT 1"}\n{"index": 1, "sq')
    with pytest.raises(EvaluationError, match="line 2 is not JSON"):
        read_predictions(path, examples)


async def test_a_named_json_key(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    path = write(tmp_path / "p.jsonl", "\n".join(json.dumps({"pred": example.sql}) for example in examples))
    assert all((await scores(path, examples, catalog, column="pred")).values())


async def test_csv(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    rows = [f'{example.index},"{example.sql}",exact' for example in reversed(examples)]
    rows[0] = rows[0].replace("FROM", "\nFROM")
    path = write(tmp_path / "p.csv", "\ufeffindex,predicted,status\n" + "\n".join(rows))
    lines = await score_predictions(path, examples, catalog, column="predicted")
    assert all(line["correct"] for line in lines)
    assert {line["status"] for line in lines} == {"ok"}
    assert "\nFROM" in (lines[0]["sql"] or "")
    with pytest.raises(EvaluationError, match="columns index,predicted,status; name the one"):
        read_predictions(path, examples)
    with pytest.raises(EvaluationError, match="one must be called sql; it has index, predicted, status"):
        read_predictions(path, examples, column="sql")


def test_csv_of_a_spreadsheet(tmp_path: Path, examples: list[Example]) -> None:
    text = "\r\n".join(["Index;SQL;", *(f"{example.index};{example.sql};" for example in examples), ";;"])
    found = read_predictions(write(tmp_path / "p.csv", text), examples, column="SQL")
    assert [each.sql for each in found] == [example.sql for example in examples]


def test_a_query_that_commas_would_cut_is_refused(tmp_path: Path, examples: list[Example]) -> None:
    path = write(tmp_path / "p.csv", "index,sql\n0,SELECT count(*), name FROM customer\n")
    with pytest.raises(EvaluationError, match="row 2: the row has 3 cells for 2 columns"):
        read_predictions(path, examples, column="sql")


def test_a_list_in_json_is_refused(tmp_path: Path, examples: list[Example]) -> None:
    path = write(tmp_path / "p.json", json.dumps([{"index": 0, "sql": "SELECT 1"}], indent=1))
    with pytest.raises(EvaluationError, match="is a list in JSON; write one object"):
        read_predictions(path, examples)


def test_files_that_cannot_be_read(tmp_path: Path, examples: list[Example]) -> None:
    with pytest.raises(EvaluationError, match="can't be read"):
        read_predictions(tmp_path / "none.sql", examples)
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    with pytest.raises(EvaluationError, match="is not UTF-8 text"):
        read_predictions(tmp_path / "latin.sql", examples)
    with pytest.raises(EvaluationError, match="is no CSV file"):
        read_predictions(write(tmp_path / "p.csv", 'sql\n"SELECT'), examples, column="sql")


def test_a_run_over_other_questions_is_refused(tmp_path: Path, make_line: Any, examples: list[Example]) -> None:
    """A row was put into the log: each answer would be scored as that of the question before it."""
    lines = [make_line(place, sql=each.sql, question=each.question) for place, each in enumerate(examples[:2])]
    path = write(tmp_path / "run.jsonl", "\n".join(map(json.dumps, lines)))
    assert len(read_predictions(path, examples)) == 2
    shifted = [Example(0, "shop", "A new one?", "", "SELECT 1"), *(replace(e, index=e.index + 1) for e in examples)]
    with pytest.raises(EvaluationError, match="question 0 of the run is another one in the questions file"):
        read_predictions(path, shifted)


async def test_an_answer_that_was_an_error_stays_wrong(
    tmp_path: Path, make_line: Any, examples: list[Example], catalog: Catalog
) -> None:
    line = make_line(0, sql=examples[0].sql, status="error", question=examples[0].question)
    path = write(tmp_path / "run.jsonl", json.dumps(line))
    assert await scores(path, examples, catalog) == {0: False}
    line["status"] = "ok"
    assert await scores(write(path, json.dumps(line)), examples, catalog) == {0: True}


async def test_progress(tmp_path: Path, examples: list[Example], catalog: Catalog) -> None:
    path = write(tmp_path / "p.sql", "SELECT 4\n" * 6)
    reported: list[tuple[int, int, int]] = []
    await score_predictions(path, examples, catalog, concurrency=1, progress=lambda *figures: reported.append(figures))
    assert reported == [(done, 6, 1) for done in range(1, 7)]


def bird(examples: list[Example], **changes: object) -> dict[str, object]:
    """Predictions as BIRD's baselines write them."""
    return {str(e.index): f"{e.sql}\t----- bird -----\t{e.database}" for e in examples} | changes


@pytest.mark.parametrize("indent", [None, 4])
async def test_the_predictions_of_bird(
    tmp_path: Path, examples: list[Example], catalog: Catalog, indent: int | None
) -> None:
    path = write(tmp_path / "predict_dev.json", json.dumps(bird(examples, **{"0": 0}), indent=indent))
    assert await scores(path, examples, catalog, metric="bird", total=7) == {
        0: False,
        1: True,
        3: True,
        4: True,
        5: True,
        6: True,
    }
    assert read_predictions(path, examples, total=7)[1].sql == examples[1].sql


async def test_one_query_of_bird_may_span_lines_or_lack_its_database(
    tmp_path: Path, examples: list[Example], catalog: Catalog
) -> None:
    spanning = {"3": examples[2].sql.replace("FROM", "\nFROM"), "4": examples[3].sql}
    assert all((await scores(write(tmp_path / "p.json", json.dumps(spanning)), examples, catalog)).values())


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ('{"0": "SELECT 1", "0": "SELECT 2"}', "index 0 occurs twice"),
        ('{"0": "SELECT 1", "70": "SELECT 2"}', "index 70 occurs twice or is none"),
        ('{"0": {"sql": "SELECT 1"}}', "the prediction 0 is not text"),
        ("{}", "line 1 has no text|1 predictions for 6"),
    ],
)
def test_predictions_of_bird_that_do_not_fit(tmp_path: Path, examples: list[Example], text: str, reported: str) -> None:
    with pytest.raises(EvaluationError, match=reported):
        read_predictions(write(tmp_path / "p.json", text), examples, total=7)


@pytest.mark.parametrize("suffix", ["json", "txt", "jsonl"])
async def test_a_misspelt_database_is_one_wrong_prediction(
    tmp_path: Path, examples: list[Example], catalog: Catalog, suffix: str
) -> None:
    names = ["shpo", *["shop"] * 5]
    made = list(zip(examples, names, strict=True))
    texts = {
        "json": json.dumps({str(e.index): f"{e.sql}\t----- bird -----\t{name}" for e, name in made}),
        "txt": "".join(f"{e.sql}\t{name}\n" for e, name in made),
        "jsonl": "\n".join(json.dumps({"index": e.index, "sql": e.sql, "db_id": name}) for e, name in made),
    }
    lines = await score_predictions(write(tmp_path / f"p.{suffix}", texts[suffix]), examples, catalog, total=7)
    assert [line["correct"] for line in lines] == [False, *[True] * 5]
    assert lines[0]["reason"] == "wrong database: the prediction is for 'shpo'"
    assert summarise(lines)["wrong_databases"] == {"the prediction is for 'shpo'": 1}
