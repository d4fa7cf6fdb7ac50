"""The page on the HTTP app is held to account: its commands run, its forms and addresses are those of the app."""

import asyncio
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.api_app import ASKED, events_in, serving_api

from route_sql.access.keys import read_callers
from route_sql.api.forms.bodies import RESUME_FORMS
from route_sql.demo.database import build_demo_database
from route_sql.testing import ScriptedModel

PAGE = (Path(__file__).parents[3] / "docs" / "http.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
DOCTORS = ScriptedModel(history=[], otherwise=lambda *_: "SELECT COUNT(*) FROM doctor")


async def test_its_commands_run_as_they_are_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    build_demo_database(tmp_path / "clinic.sqlite")
    (tmp_path / "databases.toml").write_text('[databases.clinic]\nurl = "sqlite:///clinic.sqlite"\n')
    async with serving_api(tmp_path, DOCTORS) as running:
        printed = []
        for command in SHELL:
            there = command.replace("http://127.0.0.1:8000", running.url)
            process = await subprocess_of(there)
            printed.append(process)
    assert json.loads(printed[0])["answer"]["status"] == "ok"
    assert [name for name, _ in events_in(printed[1])][-1] == "answer"
    assert json.loads(printed[2])["answer"]["candidates"][0]["agent"] == "person"
    assert re.fullmatch(r"[0-9a-f]{64}  -\n", printed[3])


async def subprocess_of(command: str) -> str:
    environ = {"KEY": "a-key-of-the-dashboard", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


async def test_its_addresses_are_those_of_the_app(tmp_path: Path) -> None:
    named = {path.partition("?")[0] for path in re.findall(r"[` ](/(?:v1/|health|ready|metrics|openapi)[^` ,]*)", PAGE)}
    async with serving_api(tmp_path) as running, running.client() as http:
        described = {*(await http.get("/openapi.json")).json()["paths"]}
        assert named == described | {"/openapi.json"}
        error = re.search(r'^\{"error".*?^  "request_id": "\w+"\}\}', PAGE, re.DOTALL | re.MULTILINE)
        assert error is not None
        sent = (await http.post("/v1/ask", json={**ASKED, "database": "nowhere"})).json()["error"]
        written = json.loads(error[0])["error"]
        assert {**sent, "request_id": ""} == {**written, "request_id": ""}


def test_its_forms_are_those_that_errors_name() -> None:
    table = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert [json.loads(form).keys() for form in table]
    assert all(form in RESUME_FORMS for form in table)


def test_its_configuration_is_read(tmp_path: Path) -> None:
    text = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / "databases.toml").write_text(text)
    callers = read_callers(tmp_path / "databases.toml", {"ANALYST_TOKEN": "0123456789abcdef"})
    assert len(callers) == len(tomllib.loads(text)["callers"]) == 2
    found = callers.of("0123456789abcdef")
    assert found is not None and found.name == "analyst"


async def test_the_examples_of_the_description_are_accepted(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        paths = (await http.get("/openapi.json")).json()["paths"]
        for path, method in (
            ("/v1/ask", "post"),
            ("/v1/run", "post"),
            ("/v1/check", "post"),
            ("/v1/threads/{thread}/resume", "post"),
        ):
            for example in paths[path][method]["requestBody"]["content"]["application/json"]["examples"].values():
                body = {**example["value"], **({"database": "pets"} if "database" in example["value"] else {})}
                reply = await http.post(path.replace("{thread}", "0" * 32), json=body)
                assert reply.status_code == (404 if "{thread}" in path else 200), (example, reply.text)
        answered = paths["/v1/ask"]["post"]["responses"]["200"]["content"]["application/json"]["examples"]
        sent = (await http.post("/v1/ask", json=ASKED)).json()
        assert answered["answer"]["value"].keys() == sent.keys()
        assert answered["answer"]["value"]["answer"].keys() == sent["answer"].keys()
