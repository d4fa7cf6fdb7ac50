"""The command `route-sql api` as a process: its log, its signals, a kill in the middle of a question."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from support.api_app import ASKED, STREAM, events_in
from support.calibration_files import CONFIDENCE, write_calibration
from support.chat_stub import ChatStub, completion, models
from support.chat_stub import hanging as hanging_reply
from support.protocol_databases import PETS, make_databases


@contextmanager
def command(folder: Path, stub: ChatStub, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as an operator starts it, and its URL."""
    toml = folder / "databases.toml"
    toml.exists() or make_databases(folder)
    stub.models.append(models("some/model"))
    own = {"DATABASES": str(toml), "MODEL": stub.url, "WORDING": "instruct", "DATA": str(folder / "data")}
    environ = {**os.environ, **{f"ROUTE_SQL_{name}": value for name, value in own.items()}}
    words = [sys.executable, "-m", "route_sql", "api", "--port", "0", "--strategy", "single", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environ, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[1].rstrip("/")
        finally:
            process.kill()


def asked_of(url: str) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/ask", json=ASKED, timeout=60)


def wire(url: str, sent: bytes) -> bytes:
    """The answer to these bytes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(sent)
        return connection.recv(4096)


def test_the_command_serves_logs_json_and_ends_in_order(tmp_path: Path, stub: ChatStub) -> None:
    stub.enqueue(completion(PETS))
    with command(tmp_path, stub, "--calibration", str(write_calibration(tmp_path))) as (process, url):
        answer = asked_of(url).json()["answer"]
        assert answer["rows"][0][0] == "Rex" and answer["confidence"] == CONFIDENCE
        assert httpx2.get(f"{url}/").headers["content-type"].startswith("text/html")
        assert wire(url, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert wire(url, b"GET / HTTP/1.1\r\nX: " + b"x" * 66_000).startswith(b"HTTP/1.1 4"), "bounded headers"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
    import json

    lines = [json.loads(line) for line in log.splitlines()]
    assert {line["event"] for line in lines} == {"request", "Invalid HTTP request received."}
    lines = [line for line in lines if line["event"] == "request"]
    assert [(line["event"], line["route"], line["status"]) for line in lines] == [
        ("request", "/v1/ask", 200),
        ("request", "/", 200),
    ]
    assert {*lines[0]} >= {"at", "level", "request_id", "seconds", "caller", "method"}
    assert not any(text in log for text in ("pets are", "SELECT", "Rex", str(tmp_path)))


def test_sigterm_in_the_middle_of_a_question_lets_it_end(tmp_path: Path, stub: ChatStub) -> None:
    stub.enqueue(completion(PETS, seconds=2.0))
    with command(tmp_path, stub) as (process, url):
        with httpx2.stream("POST", f"{url}/v1/ask", json=ASKED, headers=STREAM, timeout=60) as reply:
            process.send_signal(signal.SIGTERM)
            text = "".join(reply.iter_text())
        assert events_in(text)[-1][0] == "answer"
        assert process.wait(30) == 0


def test_what_a_killed_server_was_asked_is_continued_by_the_next(tmp_path: Path, stub: ChatStub) -> None:
    stub.enqueue(hanging_reply)
    with command(tmp_path, stub) as (process, url):
        with httpx2.stream("POST", f"{url}/v1/ask", json=ASKED, headers=STREAM, timeout=60) as reply:
            lines = reply.iter_lines()
            thread = json.loads(next(line for line in lines if line.startswith("data: "))[6:])["thread"]
            while not stub.bodies:
                time.sleep(0.02)
            process.kill()
    stub.enqueue(completion(PETS))
    with command(tmp_path, stub) as (_, url):
        place = f"{url}/v1/threads/{thread}"
        assert httpx2.get(place).json()["turns"][0]["state"] == "stopped"
        continued = httpx2.post(f"{place}/resume", json={"type": "continue"}, timeout=60).json()
        assert continued["answer"]["sql"] == PETS


def test_a_server_for_others_needs_keys_and_one_without_databases_says_so(tmp_path: Path, stub: ChatStub) -> None:
    words = [sys.executable, "-m", "route_sql", "api"]
    make_databases(tmp_path)
    environ = {**os.environ, "ROUTE_SQL_DATA": str(tmp_path), "ROUTE_SQL_DATABASES": str(tmp_path / "databases.toml")}
    for options, changed, said in (
        (["--host", "0.0.0.0"], {}, "loopback"),
        ([], {"ROUTE_SQL_DATABASES": "nowhere.toml"}, "--db"),
        (["--db", "nowhere"], {}, "nowhere"),
        (["--threads", "mysql://x/y"], {}, "postgresql://"),
        (["--port", "1"], {}, "--port") if os.getuid() else (["--host", "192.0.2.1"], {}, "loopback"),
    ):
        done = subprocess.run(
            [*words, *options], env={**environ, **changed}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
