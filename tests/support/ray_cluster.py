"""A Ray cluster of two nodes on this machine, started as a user starts it, and its workers, which are killed at work."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory, mkdtemp
from uuid import uuid4

RAY = Path(sys.executable).with_name("ray")
NAME, MARK = "ROUTE_SQL_RAY_TEST", uuid4().hex
"""A variable in the environment of the cluster's processes, by which they are found."""
TRIES = 5
"""A node gives up after 30 s, which a busy machine may need."""
PORTS = ("dashboard-agent-grpc-port", "dashboard-agent-listen-port", "metrics-export-port", "runtime-env-agent-port")
"""Ports of a node's helpers; a node whose ports are left to them ends where they need 15 s to start."""
WAITS = {
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_gcs_server_port_wait_time_s": "120",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextmanager
def two_nodes() -> Iterator[str]:
    """The address of the cluster, which ends with the block."""
    # Ray's sockets are in it: their paths have at most 107 bytes.
    with TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        try:
            address = _head(Path(folder))
            _require(lambda: _start(f"--address={address}"))
            yield address
        finally:
            _end()


def _head(folder: Path) -> str:
    """Start the first node; gives the cluster's address."""

    def start() -> tuple[bool, str]:
        _end()  # what is left of a node that gave up
        port, place = _free_port(), mkdtemp(dir=folder)
        started, said = _start("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={place}")
        return started, f"127.0.0.1:{port}" if started else said

    return _require(start)


def _require(start: Callable[[], tuple[bool, str]]) -> str:
    """What a node that has started says; one that has not is started again."""
    for _ in range(TRIES):
        started, said = start()
        if started:
            return said
    raise RuntimeError(f"no node of Ray: {said}")


def run_on(cluster: str, *arguments: object) -> tuple[int, str]:
    """Run `route-sql` for a cluster in a process of its own; gives its exit code and its messages on one line."""
    command = [sys.executable, "-m", "route_sql", *map(str, arguments), "--ray", cluster]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, " ".join(ended.stderr.split())


def _free_port() -> int:
    with socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _start(*options: str) -> tuple[bool, str]:
    """Whether a node has started, and what it said."""
    ports = [f"--{port}={_free_port()}" for port in PORTS]
    command = [RAY, "start", *options, *ports, "--node-ip-address=127.0.0.1", "--num-cpus=1"]
    environ = {**os.environ, **WAITS, NAME: MARK}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return ended.returncode == 0, ended.stdout + ended.stderr


def _end() -> None:
    end = time.monotonic() + 60
    while (left := _marked(b"")) and time.monotonic() < end:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def _marked(title: bytes) -> list[int]:
    """Processes of the cluster whose command line begins with `title`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environ = (place / "environ").read_bytes()
            if f"{NAME}={MARK}".encode() in environ and (place / "cmdline").read_bytes().startswith(title):
                found.append(int(place.name))
    return found


@contextmanager
def one_killed(ready: Callable[[], bool]) -> Iterator[list[int]]:
    """Kill one worker as soon as a worker is busy and `ready` holds; gives a list that then has its process id."""
    killed: list[int] = []

    def kill() -> None:
        end = time.monotonic() + 240
        while not killed and time.monotonic() < end:
            if ready() and (workers := _marked(b"ray::run_shard")):
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])
            time.sleep(0.05)

    killing = threading.Thread(target=kill)
    killing.start()
    yield killed
    killing.join()
