"""Hostile names, cells, SQL, errors and paths on a real terminal, in a pipe and as JSON."""

import ast
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion
from support.terminals import on_a_terminal

from route_sql.cli import main

HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202e\u200b\0\r\t[red]:smile:"
SHOWN = r"\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\u202e\u200b\x00\r\t[red]:smile:"
_OWN = re.compile(r"\x1b\[[0-9;]*m|\r\n|\n")
"""Control sequences of our own output: colours and line breaks."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    path = tmp_path / "pets.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        name = HOSTILE.replace("\0", "")  # SQLite takes no NUL in a name
        connection.execute(f'CREATE TABLE pet (name TEXT, "{name}" TEXT)')
        connection.execute("INSERT INTO pet VALUES (?, ?)", (HOSTILE, "Rex"))
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def is_harmless(text: str, *, tabs: bool = False) -> bool:
    return all(character.isprintable() or (tabs and character == "\t") for character in _OWN.sub("", text))


def test_a_terminal_gets_nothing_that_steers_it(pets: Path) -> None:
    written = on_a_terminal("run", "SELECT * FROM pet", "--db", pets, columns=200)
    assert is_harmless(written), written
    assert SHOWN in written and SHOWN.replace(r"\x00", "") in written and "1 row" in written


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "json", None])
def test_a_pipe_gets_nothing_that_steers_a_terminal(
    pets: Path, capsys: pytest.CaptureFixture[str], form: str | None
) -> None:
    assert run("run", "SELECT * FROM pet", "--db", pets, *(["--format", form] if form else [])) == 0
    printed = capsys.readouterr()
    assert is_harmless(printed.out + printed.err, tabs=form in (None, "csv")), printed.out
    assert ":smile:" in printed.out and "[red]" in printed.out


def test_json_is_harmless_and_exact(pets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT * FROM pet", "--db", pets, "--json") == 0
    printed = capsys.readouterr().out
    assert is_harmless(printed)
    assert json.loads(printed)["rows"] == [[HOSTILE, "Rex"]]


@pytest.mark.parametrize("option", ["--sql-only", "--json", "--format=csv", None])
def test_sql_errors_and_agents_are_harmless(
    stub: ChatStub, pets: Path, capsys: pytest.CaptureFixture[str], option: str | None
) -> None:
    hostile = HOSTILE.replace("\0", "")
    for reply in (f'SELECT name AS "{hostile}" FROM pet', f'SELECT p."{hostile}x" FROM pet AS p'):
        stub.enqueue(completion(reply))
        run("ask", "Which?", "--db", pets, "--model", stub.url, "--strategy=single", *([option] if option else []))
        printed = capsys.readouterr()
        assert is_harmless(printed.out + printed.err, tabs=True), printed
        assert "52;c;aGk=" in printed.out + printed.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "SELECT 1", "--db", HOSTILE.replace("\0", "")),
        ("run", "SELECT 1", "--db", "x", f"--{HOSTILE}"),
        ("check", f"SELECT '{HOSTILE}' FROM [{HOSTILE}]", "--dialect", "tsql"),
        ("check", "SELECT 1", "--dialect", HOSTILE),
        ("ask", "Which?", "--db", "x", "--strategy", HOSTILE),
        ("ask", "Which?", "--db", "x", "--without", HOSTILE),
        ("doctor", "--model", HOSTILE.replace("\0", ""), "--db", HOSTILE.replace("\0", "")),
        ("serve", "--model", HOSTILE.replace("\0", "")),
        (HOSTILE,),
    ],
)
def test_what_was_typed_comes_back_harmless(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run(*arguments)
    printed = capsys.readouterr()
    assert is_harmless(printed.out + printed.err), printed


def test_a_file_name_can_not_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "SELECT 1", "--db", "x\nerror: all is well") == 2
    assert [line[:7] for line in capsys.readouterr().err.splitlines()] == ["error: ", "  error"]


def test_only_one_place_writes() -> None:
    package = Path(__file__).parents[3] / "package"
    for file in package.rglob("*.py"):
        if file.name == "printing.py" or "demo/" in str(file):
            continue
        called = {ast.unparse(n.func) for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)}
        assert not called & {"print", "typer.echo", "typer.secho", "Console", "sys.stdout.write"}, file


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full, the disk that is always full")
def test_an_output_on_a_full_disk_is_a_sentence() -> None:
    command = [sys.executable, "-m", "route_sql", "check", "SELECT 1", "--dialect", "sqlite"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (2, "error: the output can't be written: No space left on device\n")
