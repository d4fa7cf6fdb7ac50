"""How rows are printed: on a terminal, in a pipe, in a form of one's choice, and where the encoding is a small one."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion
from support.terminals import on_a_terminal

from route_sql.cli import main
from route_sql.row_formats import PrintedRows, as_text

WIDE = "SELECT " + ", ".join(f"'value {n}' AS a_rather_long_name_{n}" for n in range(24)) + " FROM pet"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE pet (name TEXT, note TEXT, weight REAL)")
        rows = [("Rex", "a|b\tc\nd", 1.5), ("Zoë 東京 \u2026", None, None), ("", '"so"', 2)]
        connection.executemany("INSERT INTO pet VALUES (?, ?, ?)", rows)
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_rows_too_wide_for_a_terminal_are_blocks(pets: Path) -> None:
    lines = on_a_terminal("run", WIDE, "--db", pets).splitlines()
    assert all(len(line) < 160 for line in lines)  # with the colours
    shown = "\n".join(lines)
    assert [shown.count(f"value {n}") >= 3 for n in range(24)] == [True] * 24
    assert all(f"a_rather_long_name_{n}" in shown for n in range(24))
    assert "row 3" in shown and "3 rows" in shown


def test_rows_that_fit_are_a_table(pets: Path) -> None:
    shown = on_a_terminal("run", "SELECT name, weight FROM pet", "--db", pets)
    assert "Zoë 東京 …" in shown and "NULL" in shown and "row 1" not in shown and "3 rows" in shown


def test_a_pipe_gets_tab_separated_text(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", WIDE, "--db", pets) == 0
    printed = capsys.readouterr()
    lines = [line.split("\t") for line in printed.out.splitlines()]
    assert lines == [[f"a_rather_long_name_{n}" for n in range(24)], *[[f"value {n}" for n in range(24)]] * 3]
    assert printed.err == "3 rows\n"


def test_a_pipe_gets_every_row(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i FROM n"
    assert run("run", many.format(600), "--db", pets) == 0
    assert capsys.readouterr().out.split() == ["i", *map(str, range(1, 601))]
    assert run("run", many.format(6000), "--db", pets, "--format", "csv") == 0
    printed = capsys.readouterr()
    assert len(printed.out.split()) == 1001 and "1000+ rows; the rest was cut off" in printed.err


def test_csv_tells_null_from_nothing(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT * FROM pet", "--db", pets, "--format", "csv") == 0
    printed = capsys.readouterr().out
    assert printed == 'name,note,weight\nRex,"a|b\tc\nd",1.5\nZoë 東京 …,,\n"","""so""",2.0\n'
    assert list(csv.reader(StringIO(printed)))[1] == ["Rex", "a|b\tc\nd", "1.5"]


def test_json_rows_are_objects(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT name, 1 AS n, 2 AS n FROM pet LIMIT 1", "--db", pets, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "Rex", "n": 1, "n_2": 2}]


def test_markdown_keeps_its_cells(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT name, note FROM pet LIMIT 2", "--db", pets, "--format", "markdown") == 0
    expected = "| name | note |\n| --- | --- |\n| Rex | a\\|b\\tc\\nd |\n| Zoë 東京 … | NULL |\n"
    assert capsys.readouterr().out == expected


def test_the_rows_of_an_answer_alone(stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("ask", "Which?", "--db", pets, "--model", stub.url, "--strategy", "single", "--format", "csv")
    stub.enqueue(completion("SELECT name FROM pet WHERE weight > 1"))
    assert run(*asked) == 0
    assert capsys.readouterr().out == 'name\nRex\n""\n'
    stub.enqueue(completion("SELECT nam FROM pet"))
    assert run(*asked) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and "error: " in printed.err and "nam" in printed.err


@pytest.mark.parametrize("form", ["table", "csv", "spreadsheet", "json", "markdown"])
def test_an_error_is_no_rows(pets: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert run("run", "DELETE FROM pet", "--db", pets, "--format", form) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("refused: ")


@pytest.mark.parametrize("more", [("--json", "--format", "csv"), ("--format", "xml")])
def test_two_forms_at_once_are_wrong_use(pets: Path, more: tuple[str, ...]) -> None:
    assert run("run", "SELECT 1", "--db", pets, *more) == 2


def test_two_forms_of_an_answer_are_wrong_use(pets: Path) -> None:
    assert run("ask", "Which?", "--db", pets, "--sql-only", "--json") == 2


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("more", [(), ("--format", "table"), ("--json",)])
def test_any_encoding_will_do(pets: Path, encoding: str, more: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "route_sql", "run", "SELECT name FROM pet WHERE note IS NULL", "--db", str(pets), *more],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    shown, reported = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert done.returncode == 0 and "Traceback" not in reported
    if more == ("--json",):
        assert json.loads(shown)["rows"] == [["Zoë 東京 \u2026"]]
    else:
        cp1252 = encoding == "cp1252"
        expected = {"utf-8": "Zoë 東京 …", "ascii": r"Zo\xeb \u6771\u4eac \u2026"}
        assert expected.get(encoding, r"Zoë \u6771\u4eac " + ("…" if cp1252 else r"\u2026")) in shown


@pytest.mark.parametrize("form", ["csv", "spreadsheet", "json", "markdown", "tsv"])
def test_no_rows_and_no_columns(form: str) -> None:
    assert as_text(PrintedRows(["a"], []), form) in ("a", "[]", "| a |\n| --- |")  # type: ignore[arg-type]
    as_text(PrintedRows([], []), form)  # type: ignore[arg-type]


def test_values_of_every_kind() -> None:
    rows = PrintedRows(["v"], [[True], [2**64 - 1], [1e300], [None], ["NULL"], [" x "]])
    assert as_text(rows, "tsv") == "v\ntrue\n18446744073709551615\n1e+300\nNULL\nNULL\n x "
    assert as_text(rows, "csv") == 'v\ntrue\n18446744073709551615\n1e+300\n\nNULL\n" x "'


FORMULAS = ["=1+1", "@SUM(1)", " =1", "+cmd|' /C calc'!A0", "-1-1", "\uff1d1", "\uff0b1", '=HYPERLINK("x")']
NUMBERS = ["-12.50", "+1e5", "-7", "12", "a=1", "x-y"]


def test_a_spreadsheet_runs_no_formula_and_reads_numbers(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = PrintedRows(["=c", "n"], [[cell, -5] for cell in [*FORMULAS, *NUMBERS, "", None]])
    read = list(csv.reader(StringIO(as_text(made, "spreadsheet"))))
    assert read[0] == ["'=c", "n"] and {row[1] for row in read[1:]} == {"-5"}
    assert [row[0] for row in read[1:]] == [*(f"'{cell}" for cell in FORMULAS), *NUMBERS, "", ""]
    exact = list(csv.reader(StringIO(as_text(made, "csv"))))
    assert [row[0] for row in exact[1:]] == [*FORMULAS, *NUMBERS, "", ""], "a program reads what the database has"
    assert run("run", "SELECT '=1+1' AS a, -1.5 AS b", "--db", pets, "--format", "spreadsheet") == 0
    assert capsys.readouterr().out == "a,b\n'=1+1,-1.5\n"


@pytest.mark.parametrize("first", ["\t", "\r", "\n"])
def test_a_cell_that_begins_with_a_tab_or_a_line_break_is_no_formula(first: str) -> None:
    cell = next(csv.reader(StringIO(as_text(PrintedRows(["a"], [[f"{first}=1"]]), "spreadsheet").partition("\n")[2])))
    assert cell[0].startswith("'")
