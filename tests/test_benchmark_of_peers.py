"""The benchmark of peers, with drivers of our own in place of the libraries: counting, stopping, resuming, judging."""

import json
import sqlite3
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from peers.contestants import CONTESTANTS, Contestant
from peers.environments import interpreter
from peers.lines import Line, Lines
from peers.meter import MOST_TOKENS, Cost, Meter
from peers.process import PeerProcess
from peers.table import table
from peers.trials import content, gave_rows, harm

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DRIVER = """
import sys, time
sys.path.insert(0, {drivers!r})
from protocol import serve

def prepare(settings):
    print("a step that a library prints")
    def answer(question, database):
        if question == "slow":
            time.sleep(60)
        if question == "ends":
            sys.exit(3)
        if question == "fails":
            raise ValueError("no table")
        return {{"sql": f"{{settings['model']}}: {{question}}"}}
    return answer

serve(prepare)
"""


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[PeerProcess]:
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.format(drivers=str(BENCHMARKS / "peers" / "drivers")))
    process = PeerProcess(Path(sys.executable), driver, {"url": "", "key": "", "model": "m"})
    yield process
    process.stop()


def test_a_peer_is_asked_stopped_and_started_again(peer: PeerProcess, tmp_path: Path) -> None:
    assert peer.ask("how many", tmp_path, 60) == {"sql": "m: how many", "text": "", "error": None}
    assert peer.ask("fails", tmp_path, 60)["error"] == "ValueError: no table"
    late = peer.ask("slow", tmp_path, 1)
    assert (late["error"], late["late"], late["sql"]) == ("no answer within 1 s", True, None)
    assert peer.ask("again", tmp_path, 60)["sql"] == "m: again"
    assert peer.ask("ends", tmp_path, 60)["error"].startswith("it ended")
    assert peer.ask("again", tmp_path, 60)["sql"] == "m: again"


def test_a_peer_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text("import a_library_that_is_not_there")
    process = PeerProcess(Path(sys.executable), tmp_path / "driver.py", {})
    with pytest.raises(RuntimeError, match="(?s)does not start: .*a_library_that_is_not_there"):
        process.ask("how many", tmp_path, 60)


class Upstream(BaseHTTPRequestHandler):
    """A model server that says its work as llama.cpp does, whole or in parts."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append({**body, "key": self.headers["Authorization"]})
        done = json.dumps({"timings": {"prompt_n": 40, "predicted_n": 2}})
        text = f'data: {{"choices": []}}\n\ndata: {done}\n\ndata: [DONE]\n\n' if body.get("stream") else done
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    Upstream.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def post(url: str, body: dict[str, Any]) -> bytes:
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return bytes(response.read())


def test_calls_and_tokens_are_counted_whole_or_streamed(upstream: str) -> None:
    with Meter(upstream, "secret") as meter:
        assert b"prompt_n" in post(meter.url, {"max_tokens": 7})
        assert post(meter.url, {"stream": True}).endswith(b"[DONE]\n\n")
        meter.wait(30)
        assert meter.cost_since() == Cost(calls=2, computed=80, written=4)
        assert meter.cost_since() == Cost()
    assert [asked["max_tokens"] for asked in Upstream.asked] == [7, MOST_TOKENS]
    assert {asked["key"] for asked in Upstream.asked} == {"Bearer secret"}


def make_line(kind: Any, index: int, **changes: Any) -> Line:
    line = Line(
        peer="vanna",
        model="base",
        kind=kind,
        index=index,
        question="?",
        sql=None,
        text="",
        error=None,
        outcome="wrong",
        calls=2,
        computed=100,
        written=10,
        seconds=1.5,
    )
    return {**line, **changes}  # type: ignore[typeddict-item]


def test_lines_are_kept_and_a_cut_off_one_is_asked_again(tmp_path: Path) -> None:
    lines = Lines(tmp_path, "vanna", "base")
    lines.add(make_line("spider", 3))
    lines.add(make_line("attack", 3))
    file = tmp_path / "vanna.base.jsonl"
    file.write_text(file.read_text()[:-20])
    again = Lines(tmp_path, "vanna", "base")
    assert [again.lack(kind, 3) for kind in ("spider", "attack", "unanswerable")] == [False, True, True]
    again.add(make_line("attack", 3))
    assert len(Lines(tmp_path, "vanna", "base").all) == 2


def test_the_table_shows_losses(tmp_path: Path) -> None:
    lines = Lines(tmp_path, "vanna", "base")
    lines.add(make_line("spider", 1, outcome="right"))
    lines.add(make_line("spider", 2, error="no answer within 60 s"))
    lines.add(make_line("spider", 3, outcome="gold fails"))
    lines.add(make_line("attack", 0, outcome="changed the database"))
    lines.add(make_line("attack", 1, outcome="no harm"))
    lines.add(make_line("unanswerable", 0, outcome="gave rows"))
    text = table([Contestant("vanna", "vanna 2", "x.py")], [lines], {"other": "needs a key"})
    cells = "vanna 2 | base | 2 | 50.0 (9.5 to 90.5) | 1 | 2.00 | 100 | 10 | 1.5"
    assert f"| {cells} | 1 of 2: changed the database 1 | 1 of 1 |" in text
    assert text.endswith("Not asked:\n\n- other: needs a key\n")


def test_what_an_attack_did(tmp_path: Path) -> None:
    database = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    before = content(database)
    assert harm(before, database, tmp_path, late=False) == "no harm"
    assert harm(before, database, tmp_path, late=True) == "had to be stopped"
    assert gave_rows("SELECT * FROM t", database) and not gave_rows("SELECT * FROM t WHERE a = 2", database)
    assert not gave_rows("DELETE FROM t RETURNING a", database) and not gave_rows(None, database)
    (tmp_path / "stolen.sqlite").touch()
    assert harm(before, database, tmp_path, late=False) == "wrote a file"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM t")
    assert harm(before, database, tmp_path, late=False) == "changed the database"


def test_every_contestant_has_a_driver_and_pins() -> None:
    for contestant in CONTESTANTS:
        assert (BENCHMARKS / "peers" / "drivers" / contestant.driver).is_file()
        assert all("==" in package for package in contestant.packages)
        assert contestant.models == (("base",) if contestant.is_agent else ("base", "default"))


def test_ours_needs_no_environment_and_one_that_fails_says_so(tmp_path: Path) -> None:
    assert interpreter((), tmp_path) == Path(sys.executable)
    with pytest.raises(RuntimeError, match="ended with"):
        interpreter(("./nothing-here",), tmp_path)
    assert not list(tmp_path.rglob("installed.txt"))
