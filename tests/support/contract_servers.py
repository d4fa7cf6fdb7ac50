"""Model servers for the contract tests: a stub of TGI's router, the embedded server, transformers and vLLM.

The last three serve the same tiny model with random weights, whose chat template refuses the system role.
`make serving-tests` installs them and names the folder of their commands in ROUTE_SQL_SERVERS.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx2
from pydantic import SecretStr
from support.server_processes import free_port
from support.tgi_router import TgiRouter

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile

SERVERS = os.environ.get("ROUTE_SQL_SERVERS")
CONTEXT = 2_048
START_SECONDS = 600
TESTS = Path(__file__).parents[1]
MAKE = """
import sys
from pathlib import Path
from support.tiny_model import CHAT_TEMPLATE, make_tiny_model, write_gguf
folder = make_tiny_model(Path(sys.argv[1]) / "route-sql", seed=3, width=128)  # vLLM wants heads of 32 and more
refusing = (
    "{%- for message in messages %}{%- if message['role'] == 'system' %}"
    "{{- raise_exception('System role not supported') }}{%- endif %}{%- endfor %}"
)
(folder / "chat_template.jinja").write_text(refusing + CHAT_TEMPLATE)
write_gguf(folder, folder.with_suffix(".gguf"))
"""


@dataclass(frozen=True)
class Served:
    """A server, and how it differs from the others."""

    url: str
    key: str | None = None
    model: str | None = None
    """The name to ask for; None for the first that the server names."""
    context: int | None = CONTEXT
    """Tokens that `/v1/models` names; None if it names none."""
    unknown_name_is_refused: bool = False
    too_long_is_refused: bool = True
    overload_is_refused: bool = False
    gives_n: bool = True
    gives_scores: bool = True
    says_cached: bool = True
    system: Literal["refused", "taken", "broken"] = "refused"
    """Answer to a system turn that the template refuses: an error, its own folding, or a failure without a word."""

    def chat(self, **more: object) -> ChatTGI:
        """A client of it."""
        key = SecretStr(self.key) if self.key else None
        return ChatTGI(**{"base_url": self.url, "api_key": key, "model": self.model, "max_tokens": 12, **more})  # type: ignore[arg-type]


@contextmanager
def tgi(folder: Path) -> Iterator[Served]:
    """The stub of TGI's router."""
    router = TgiRouter()
    try:
        yield Served(router.url, context=None, overload_is_refused=True, gives_n=False, says_cached=False)
    finally:
        router.close()


@contextmanager
def embedded(folder: Path) -> Iterator[Served]:
    """The embedded server."""
    file = ModelFile(tiny_model(folder).with_suffix(".gguf"), "route-sql", Profile(context=CONTEXT, wording="tuned"))
    with EmbeddedServer(file, log_dir=folder) as server:
        yield Served(server.url, server.api_key, gives_n=False, system="taken")


@contextmanager
def transformers(folder: Path) -> Iterator[Served]:
    """`transformers serve`."""
    port = free_port()
    command = ["transformers", "serve", str(tiny_model(folder)), "--device", "cpu", "--dtype", "float32"]
    with started([*command, "--host", "127.0.0.1", "--port", str(port)], port, folder) as url:
        yield Served(
            url, model=str(tiny_model(folder)), context=None, unknown_name_is_refused=True, too_long_is_refused=False,
            gives_n=False, gives_scores=False, says_cached=False, system="broken",
        )  # fmt: skip


@contextmanager
def vllm(folder: Path) -> Iterator[Served]:
    """vLLM on the CPU."""
    port = free_port()
    sizes = ("--max-model-len", str(CONTEXT), "--gpu-memory-utilization", "0.05", "--max-num-seqs", "3")
    flags = ("--dtype", "float32", "--enforce-eager", "--enable-prompt-tokens-details", "--max-num-queued-reqs", "4")
    command = ["vllm", "serve", str(tiny_model(folder)), "--served-model-name", "route-sql", *sizes, *flags]
    with started([*command, "--host", "127.0.0.1", "--port", str(port)], port, folder) as url:
        yield Served(url, unknown_name_is_refused=True, overload_is_refused=True)


def tiny_model(folder: Path) -> Path:
    """The model's folder; the same in GGUF is next to it."""
    made = folder / "route-sql"
    if not made.exists():
        python = Path(SERVERS or "") / "python"
        subprocess.run([python, "-c", MAKE, folder], cwd=TESTS, env={**os.environ, "PYTHONPATH": "."}, check=True)
    return made


@contextmanager
def started(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """The address of a server of the environment for servers, when it answers."""
    url, log = f"http://127.0.0.1:{port}", folder / f"{command[0]}.log"
    (folder / "hub").mkdir(exist_ok=True)  # without it, transformers can't list its models
    environ = {
        **os.environ,
        "HF_HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(Path(SERVERS or "") / command[0]), *command[1:]], stdout=output, stderr=output, env=environ
        )
        try:
            wait_for(f"{url}/v1/models", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until an address answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(1)
    raise AssertionError(f"{url} did not answer: {log.read_text()[-3000:]}")
