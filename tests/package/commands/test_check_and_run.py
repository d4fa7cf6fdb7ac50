"""`route-sql check` and `route-sql run` as a user meets them: what they print and how they end."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import chdir, closing
from pathlib import Path

import pytest

from route_sql.cli import main


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE pet (name TEXT); INSERT INTO pet VALUES ('Rex'), ('Mia');")
    with chdir(tmp_path):  # the commands read databases.toml from the folder they are called in
        yield path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_check_allows(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "SELECT 1", "--dialect", "postgres") == 0
    assert run("check", "SELECT name FROM pet", "--db", pets) == 0
    assert run("check", "SELECT name FROM pet", "--db", pets, "--dialect", "sqlite") == 0
    assert capsys.readouterr().out == "allowed\n" * 3


@pytest.mark.parametrize(
    ("sql", "dialect", "code"),
    [
        ("DROP TABLE pet", "sqlite", "statement"),
        ("SELECT 1; SELECT 2", "mysql", "several_statements"),
        ("SELECT pg_sleep(1)", "postgres", "function"),
        ("SELECT * FROM 'x.csv'", "duckdb", "file"),
        ("SELECT FROM WHERE", "sqlite", "unparsable"),
    ],
)
def test_check_refuses_with_the_reason(
    pets: Path, capsys: pytest.CaptureFixture[str], sql: str, dialect: str, code: str
) -> None:
    assert run("check", sql, "--dialect", dialect) == 1
    assert capsys.readouterr().out.startswith(f"refused, {code}: ")


def test_check_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "SELECT 1,\nsleep(1)", "--dialect", "mysql") == 1
    assert capsys.readouterr().out.endswith("(line 2, column 1)\n")


def test_names_that_need_a_database_are_listed_on_a_line_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", 'SELECT "first\nname" FROM pet', "--dialect", "sqlite") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == r'allowed, if these names exist: "first\nname", pet' and second.endswith("name it with --db.")


def test_wrong_use_is_exit_code_2(pets: Path) -> None:
    assert run("check", "SELECT 1") == 2
    assert run("check", "SELECT 1", "--dialect", "cobol") == 2
    assert run("check", "SELECT 1", "--db", pets, "--dialect", "mysql") == 2
    assert run("check", "SELECT 1", "--db", "nothing.sqlite") == 2
    assert run("check", "--dialect", "sqlite") == 2
    assert run("run", "SELECT 1") == 2
    assert run("run", "SELECT 1", "--db", "nothing.sqlite") == 2


def test_run_prints_the_rows(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT name FROM pet ORDER BY name", "--db", pets) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("name\nMia\nRex\n", "2 rows\n")


def test_run_prints_the_outcome_as_json(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("databases.toml").write_text('[databases.zoo]\nurl = "sqlite:///pets.sqlite"\n')
    assert run("run", "SELECT name FROM pet ORDER BY name", "--db", "zoo", "--json") == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["status"], outcome["columns"], outcome["rows"]) == ("ok", ["name"], [["Mia"], ["Rex"]])
    assert run("run", "SELECT name FROM pet WHERE name = 'x'", "--db", "zoo", "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "empty"


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("DELETE FROM pet", "refused"),
        ("SELECT load_extension('x')", "refused"),
        ("SELECT nam FROM pet", "error"),
        ("SELECT name FROM", "error"),
    ],
)
def test_run_without_rows_is_exit_code_1(pets: Path, capsys: pytest.CaptureFixture[str], sql: str, status: str) -> None:
    before = pets.read_bytes()
    assert run("run", sql, "--db", pets) == 1
    assert f"{status}: " in capsys.readouterr().out
    assert run("run", sql, "--db", pets, "--json") == 1
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["status"], outcome["rows"]) == (status, []) and outcome["error"]
    assert pets.read_bytes() == before


def test_run_on_what_is_no_database_is_json_too(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT 1", "--db", "nothing.sqlite", "--json") == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "error" and "nothing.sqlite" in printed.err


def test_functions_that_the_catalog_allows(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("databases.toml").write_text(
        '[databases.zoo]\nurl = "pets.sqlite"\n'
        '[databases.open]\nurl = "pets.sqlite"\nfunctions = ["sqlite_comp*"]\n'
        '[databases.narrow]\nurl = "pets.sqlite"\nfunctions = ["sqlite_comp*"]\nhide = ["pet.age"]\n'
    )
    with closing(sqlite3.connect(pets)) as connection:
        connection.execute("ALTER TABLE pet ADD COLUMN age")
    sql = "SELECT sqlite_compileoption_used('NONE'), count(name) FROM pet"
    for command in ("check", "run"):
        assert run(command, sql, "--db", "zoo") == 1
        assert "sqlite_compileoption_used may not be called" in "".join(capsys.readouterr())
        assert [run(command, sql, "--db", name) for name in ("open", "narrow")] == [0, 0]
