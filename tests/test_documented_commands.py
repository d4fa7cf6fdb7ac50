"""Every command of the README, the documentation and the tutorial is read as its program reads it, or runs."""

import ast
import asyncio
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from langgraph_cli.cli import cli as langgraph
from support.calibration_files import write_calibration
from support.chat_stub import ChatStub, completion, models
from support.documented import DOORS, PAGES, ROOT, Command, commands
from typer.main import get_command

from route_sql.cli import app, main
from route_sql.demo.database import build_demo_database
from route_sql.graph.recording import record_run, write_recording
from route_sql.testing import MARKS, ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.training.tuning.config import load_run

ALL = [command for page in PAGES for command in commands(page)]
OURS = [command for command in ALL if command.words[0] == "route-sql"]
RUN = ("ask", "eval", "save", "score", "compare", "doctor", "data")
"""Commands that run here. `serve` does not end; other commands of `train` run in `make training-tests`."""
RUNNING = [
    command
    for command in OURS
    if command.page in DOORS
    and {*RUN} & {*command.words[1:3]}
    and len(command.words) > 1
    and "--ray" not in command.words  # runs in `make ray-tests`
]
SQL = "SELECT COUNT(*) FROM appointment"
REPLIES = {"sql": SQL, "link": "{}", "verdict": "verdict: right", "continuation": SQL}
ELSEWHERE = ("vllm", "bash", "mkdir")
"""Programs that are not ours: a server for GPUs, and the shell that starts the scripts of the GPU bundle."""


def test_nothing_is_left_out() -> None:
    known = {"route-sql", "make", "pip", "python", "langgraph", ".venv/bin/pytest", *ELSEWHERE}
    assert {command.words[0] for command in ALL} == known
    assert {command.page.name for command in RUNNING} >= {"README.md", "getting_started.md", "evaluation.md"}


@pytest.mark.parametrize("command", OURS, ids=str)
def test_our_own_command_line_reads_it(command: Command) -> None:
    name, *rest = command.words[1:]
    leaf = get_command(app).commands[name]  # type: ignore[attr-defined]
    if hasattr(leaf, "commands"):
        if not rest:
            return
        leaf = leaf.commands[rest.pop(0)]
    names_only = not rest and any(parameter.required for parameter in leaf.params)
    if not names_only:
        leaf.make_context(leaf.name, rest)


@pytest.mark.parametrize("command", [command for command in OURS if "sft" in command.words], ids=str)
def test_a_named_training_run_exists(command: Command) -> None:
    config = command.words[command.words.index("--config") + 1]
    if not config.endswith(".yaml"):  # the tutorial's own file has a test of its own
        load_run(ROOT / "training" / "configs" / f"{config}.yaml")


@pytest.mark.parametrize("command", [command for command in ALL if command.words[0] == "make"], ids=str)
def test_make_has_the_target(command: Command) -> None:
    done = subprocess.run(["make", "-n", *command.words[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [command for command in ALL if command.words[0] == "pip"], ids=str)
def test_pip_installs_extras_that_exist(command: Command) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in command.words:
        if found := re.fullmatch(r"(?:route-sql|\.)\[(.+)\]", word):
            assert {*found[1].split(",")} <= {*extras}


@pytest.mark.parametrize("command", [command for command in ALL if command.words[0] == "langgraph"], ids=str)
def test_langgraph_reads_it(command: Command) -> None:
    name, *rest = command.words[1:]
    langgraph.commands[name].make_context(name, rest)


@pytest.mark.parametrize("command", [command for command in ALL if command.words[0].endswith("pytest")], ids=str)
def test_a_selection_of_tests_selects_some(command: Command) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *command.words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", [command for command in ALL if command.words[0] == "python"], ids=str)
def test_python_finds_the_program(command: Command) -> None:
    if command.words[1].endswith(".py"):
        assert (ROOT / command.words[1]).is_file()
    elif command.words[1] == "-c":
        tree = ast.parse(command.words[2])  # it may need the libraries for training, so it is not imported
        for line in [line for line in tree.body if isinstance(line, ast.ImportFrom)]:
            if not str(line.module).startswith("route_sql"):
                assert find_spec(str(line.module))
                continue
            spec = find_spec(str(line.module))
            source = ast.parse(Path(str(spec and spec.origin)).read_text())
            defined = {each.name for each in source.body if isinstance(each, ast.ClassDef | ast.FunctionDef)}
            assert {name.name for name in line.names} <= defined
    else:
        assert find_spec(command.words[2])


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: ChatStub) -> Path:
    """The folder of somebody who reads the pages: with the files that they name, and a model that answers."""
    clinic = build_demo_database(tmp_path / ".demo" / "clinic.sqlite")
    for place in ("shop.sqlite", "database/clinic/clinic.sqlite", "database/shop/shop.sqlite", "DIR/log.sqlite"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clinic, tmp_path / place)
    shutil.copytree(tmp_path / "database", tmp_path / "DIR" / "database")
    asked = [
        {"db_id": name, "question": f"How many {what} are there?", "query": f"SELECT COUNT(*) FROM {what}"}
        for name in ("clinic", "shop")
        for what in ("appointment", "patient", "doctor")
    ]
    for place in ("dev.json", "train_spider.json", "DIR/dev.json", "DIR/choose.json"):
        (tmp_path / place).write_text(json.dumps(asked))
    (tmp_path / "predicted.sql").write_text(f"{SQL}\n" * len(asked))
    lines = [f"{each['question']},{each['query']},log" for each in asked]
    (tmp_path / "log.csv").write_text("\n".join(["question,sql,database", *dict.fromkeys(lines)]))
    logged = [each for each in asked if each["db_id"] == "shop"]
    pairs = [{"question": each["question"], "sql": each["query"], "database": "shop"} for each in logged]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    answers = [{"question": each["question"], "sql": each["query"], "database": "clinic"} for each in asked[:3]]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    (tmp_path / "questions.csv").write_text("question\nHow many appointments are there?\n")
    write_calibration(tmp_path)
    (tmp_path / "runs").mkdir()
    for place, questions in (("run.jsonl", asked), ("runs/before.jsonl", logged), ("runs/after.jsonl", logged)):
        lines = [json.dumps(line_of(index, each)) for index, each in enumerate(questions)]
        (tmp_path / place).write_text("\n".join([*lines, ""]))
    asyncio.run(keep_a_run(clinic, tmp_path / "kept"))
    catalog = "".join(f'[databases.{name}]\nurl = "sqlite:///shop.sqlite"\n' for name in ("shop", "NAME"))
    (tmp_path / "databases.toml").write_text(catalog)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTE_SQL_MODEL", stub.url)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    stub.models.append(models("route-sql/default"))
    return tmp_path


async def keep_a_run(clinic: Path, folder: Path) -> None:
    """A recording, as `ask --record` writes it."""
    catalog, name = Catalog.from_url(clinic)
    model = ScriptedModel(history=[]).enqueue("sql", SQL, SQL)
    async with catalog:
        _, recording = await record_run(model, catalog, {"question": "How many?", "database": name})
    write_recording(folder, recording)


def line_of(index: int, asked: dict[str, str]) -> dict[str, object]:
    """A line of an earlier run, with the gold as its answer."""
    unknown = dict.fromkeys(("error", "reason", "difficulty", "calls", "prompt_tokens", "cached_tokens"))
    unknown |= dict.fromkeys(("completion_tokens", "seconds"))
    known = {"index": index, "database": asked["db_id"], "question": asked["question"], "sql": asked["query"]}
    return {**known, **unknown, "status": "ok", "correct": True, "gold_fault": False, "tables": 1, **NOTHING}


NOTHING: dict[str, object] = {"asked": [], "candidates": [], "confidence": 0.9, "calibrated": True, "doubts": []}


def answer(handler: object, stub: ChatStub) -> None:
    """Reply to the task of the prompt that came last."""
    prompt = str(stub.bodies[-1]["messages"][-1]["content"])
    tasks = [task for task, marks in MARKS.items() if any(mark in prompt for mark in marks)]
    completion(REPLIES[tasks[0]] if tasks else "ok")(handler, stub)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", RUNNING, ids=str)
def test_it_runs(command: Command, reader: Path, stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.enqueue(*[answer] * 200)
    servers = {"MODEL": stub.url, "URL": stub.url, "URL,URL": f"{stub.url},{stub.url}"}
    words = [servers.get(word, word) for word in command.words[1:]]
    if "--record" in words:
        shutil.rmtree(reader / "kept")  # this command makes the folder that others replay
    with pytest.raises(SystemExit) as ended:
        main(words)
    stub.replies.clear()
    printed = capsys.readouterr()
    assert not ended.value.code, f"{printed.out}\n{printed.err}"
    assert printed.out.strip() or (reader / words[-1]).exists()
