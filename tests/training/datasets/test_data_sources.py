import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.datasets.published_schemas import load_published_schemas
from route_sql.training.datasets.query_log import load_query_log, load_replies
from route_sql.training.errors import DatasetError
from route_sql.training.rows.building import Recipe, build_data
from route_sql.training.rows.token_counts import estimated_tokens, load_counter

TABLES = [
    {
        "db_id": "league",
        "table_names_original": ["divisions", "games"],
        "table_names": ["divisions", "games"],
        "column_names_original": [[-1, "*"], [0, "code"], [0, "country"], [1, "code"], [1, "FTHG"], [1, "day"]],
        "column_names": [[-1, "*"], [0, "code"], [0, "country"], [1, "code"], [1, "home goals"], [1, "Day"]],
        "column_types": ["text", "text", "text", "text", "integer", "date"],
        "primary_keys": [1, [3, 5]],
        "foreign_keys": [[3, 1]],
    }
]
QUESTIONS: list[dict[str, Any]] = [
    {"db_id": "league", "question": "Goals?", "evidence": "FTHG", "SQL": "SELECT SUM(fthg) FROM games"},
    {"db_id": "league", "question": "Red?", "evidence": "", "SQL": "SELECT colour FROM games"},
    {"db_id": "league", "question": "What?", "evidence": "", "SQL": "SELECT FROM games WHERE"},
]


@pytest.fixture
def bird(tmp_path: Path) -> Path:
    (tmp_path / "train.json").write_text(json.dumps(QUESTIONS), encoding="utf-8")
    (tmp_path / "train_tables.json").write_text(json.dumps(TABLES), encoding="utf-8")
    return tmp_path / "train.json"


def rows(out: Path, task: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / f"{task}.train.jsonl").read_text(encoding="utf-8").splitlines()]


async def test_bird_without_databases_gives_every_task_but_noise_correction(bird: Path, tmp_path: Path):
    async with open_data_set(DataSet("bird", bird, None)) as source:
        card = await build_data(source, tmp_path / "out", Recipe(held_out=0.0))
    assert rows(tmp_path / "out", "noise_correction") == []
    linking = rows(tmp_path / "out", "schema_linking")
    assert [row["completion"][0]["content"] for row in linking] == ['{"games": ["FTHG"]}']
    assert "FTHG INTEGER, -- home goals" in linking[0]["prompt"][1]["content"]
    assert "Evidence: FTHG" in linking[0]["prompt"][1]["content"] and not linking[0]["executable"]
    assert rows(tmp_path / "out", "text_to_sql")[0]["completion"][0]["content"] == "SELECT SUM(FTHG) FROM games"
    assert len(rows(tmp_path / "out", "continuation_writing")) == 2
    assert sum(card["left_out"].values()) == 2 and card["settings"]["schemas_only"] == 1


def test_published_schemas_have_keys_and_natural_names(bird: Path):
    schema = load_published_schemas(bird.with_name("train_tables.json"))["league"]
    games = schema.tables[1]
    assert games.primary_key == ("code", "day") and schema.tables[0].primary_key == ("code",)
    assert games.foreign_keys[0].target_table == "divisions" and games.foreign_keys[0].target_columns == ("code",)
    assert [column.comment for column in games.columns] == [None, "home goals", None]


async def test_a_database_that_is_nowhere_is_said_before_anything_is_made(bird: Path, tmp_path: Path):
    bird.with_name("train_tables.json").unlink()
    with pytest.raises(DatasetError, match="1 of 1 databases are not in .*: league; name the folder"):
        async with open_data_set(DataSet("bird", bird, tmp_path)):
            pass
    with pytest.raises(DatasetError, match="1 of 1 databases are not there: league"):
        async with open_data_set(DataSet("bird", bird, None)):
            pass


async def test_of_many_databases_that_are_nowhere_five_are_named(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    pairs = [{"question": "?", "sql": "SELECT 1", "database": name} for name in "hgfedcba"]
    (tmp_path / "h.sqlite").touch()
    log.write_text("\n".join(json.dumps(pair) for pair in pairs), encoding="utf-8")
    with pytest.raises(DatasetError, match="7 of 8 databases are not in .*: a, b, c, d, e and 2 more;"):
        async with open_data_set(DataSet("log", log, tmp_path)):
            pass


async def test_a_database_that_the_catalog_lacks_is_said_before_anything_is_asked(tmp_path: Path):
    log, catalog = tmp_path / "log.jsonl", tmp_path / "databases.toml"
    log.write_text(json.dumps({"question": "?", "sql": "SELECT 1", "database": "shop"}), encoding="utf-8")
    catalog.write_text('[databases.league]\nurl = "sqlite:///league.sqlite"\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"1 of 1 databases are not in .*databases\.toml: shop; add"):
        async with open_data_set(DataSet("log", log, catalog)):
            pass


async def test_a_database_name_does_not_lead_out_of_the_folder(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "secret.sqlite")) as connection:
        connection.execute("CREATE TABLE t (a)")
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"question": "?", "sql": "SELECT 1", "database": "../secret"}), encoding="utf-8")
    (tmp_path / "databases").mkdir()
    with pytest.raises(DatasetError, match="is not a name of a database"):
        async with open_data_set(DataSet("log", log, tmp_path / "databases")):
            pass


async def test_the_folder_of_a_log_may_hold_files_of_duckdb_too(tmp_path: Path):
    duckdb = pytest.importorskip("duckdb")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.execute("CREATE TABLE sold (price)")
    with duckdb.connect(str(tmp_path / "trips.duckdb")) as connection:
        connection.execute("CREATE TABLE trip (length INTEGER)")
    log = tmp_path / "log.jsonl"
    pairs = [{"question": "?", "sql": "SELECT 1", "database": name} for name in ("shop", "trips")]
    log.write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    async with open_data_set(DataSet("log", log, tmp_path)) as opened:
        schemas = {name: await opened.catalog.get(name).schema() for name in ("shop", "trips")}
    assert {name: (schema.dialect, schema.tables[0].name) for name, schema in schemas.items()} == {
        "shop": ("sqlite", "sold"),
        "trips": ("duckdb", "trip"),
    }


def test_a_query_log_is_read_from_csv_as_spreadsheets_write_it(tmp_path: Path):
    path = tmp_path / "log.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["question", "sql", "database", "evidence"], ["Who, now?", 'SELECT "a"\nFROM t', "shop", ""]])
    assert [(e.index, e.database, e.question, e.sql) for e in load_query_log(path)] == [
        (0, "shop", "Who, now?", 'SELECT "a"\nFROM t')
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("log.csv", "question,sql\nWho?,SELECT 1\n", "row 2 lacks database"),
        ("log.jsonl", '{"question": "Who?", "sql": " ", "database": "shop"}', "line 1 lacks sql"),
        ("log.jsonl", "{", "line 1 is not JSON"),
        ("log.jsonl", "[1]", "line 1 is not an object"),
        ("log.txt", "", "is not a query log"),
        ("log.csv", "", "the first row must name the columns"),
        ("log.csv", "frage,sql,database\nWho?,SELECT 1,shop\n", "one must be called question; it has frage, sql, data"),
        ("log.csv", "question,sql,sql,database\nWho?,SELECT 1,SELECT 2,shop\n", "each once"),
        (
            "log.csv",
            "question,database,sql\nWho?,shop,SELECT count(*), name FROM t\n",
            "row 2: .* 4 cells for 3 columns",
        ),
        ("log.csv", 'question,database,sql\nA,shop,"SELECT 1\nB,shop,SELECT 2\n', "is no CSV file"),
        ("log.csv", 'question,database,sql\n"How "many"?",shop,SELECT 1\n', "is no CSV file, see row 2"),
        ("log.csv", "question,sql,database\n,,\n\nWho?,SELECT 1\n", "row 4 lacks database"),
    ],
)
def test_a_query_log_that_cannot_be_read_says_where(tmp_path: Path, name: str, text: str, said: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        load_query_log(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_log_of_a_spreadsheet_is_read(tmp_path: Path, encoding: str, separator: str):
    cells = [["Question", "SQL", " Database", "", ""], ["Größe?", '"SELECT a, b;\r\nx\ty"', "shop ", "", ""]]
    blank = separator * 4
    text = "\r\n".join(
        [*(separator.join(row) for row in cells), blank, "", separator.join(["B?", "S", "shop"]), blank, ""]
    )
    (tmp_path / "log.csv").write_bytes(text.encode(encoding))
    assert load_query_log(tmp_path / "log.csv") == [
        Example(0, "shop", "Größe?", "", "SELECT a, b;\r\nx\ty"),
        Example(1, "shop", "B?", "", "S"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path):
    pair = json.dumps({"question": "Who?", "sql": "SELECT 1", "database": "shop"})
    (tmp_path / "log.jsonl").write_text(f"{pair}\r\n", encoding="utf-8-sig", newline="")
    assert [example.sql for example in load_query_log(tmp_path / "log.jsonl")] == ["SELECT 1"]


def test_a_missing_query_log_is_named(tmp_path: Path):
    with pytest.raises(DatasetError, match="gone.csv can't be read"):
        load_query_log(tmp_path / "gone.csv")


def test_replies_are_gathered_by_question(tmp_path: Path):
    path = tmp_path / "replies.jsonl"
    path.write_text('{"index": 3, "sql": "A"}\n{"index": 3, "sql": "B"}\n{"index": 4, "sql": null}\n', encoding="utf-8")
    assert load_replies(path) == {3: ["A", "B"]} and load_replies(None) == {}
    path.write_text('{"index": "3", "sql": "A"}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match="line 1: a reply needs index"):
        load_replies(path)


def test_without_a_tokenizer_tokens_are_estimated(tmp_path: Path):
    assert load_counter(None) is estimated_tokens
    with pytest.raises(DatasetError, match="there is no tokenizer.json"):
        load_counter(tmp_path)
