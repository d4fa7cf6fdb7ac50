"""A Ray cluster of two nodes on this machine, in a process of its own, and its workers, which are killed at work."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import Any
from uuid import uuid4

# Where Ray is not installed, the tests' own folder `ray` may be found in its place.
HAS_RAY = find_spec("ray") is not None and find_spec("ray.cluster_utils") is not None
NAME, MARK = "ROUTE_SQL_RAY_TEST", uuid4().hex
"""A variable in the environment of the cluster's processes, by which they are found."""
TRIES = 12
"""A node gives up after 15 s, which a busy machine may need."""
PORTS = ("metrics_agent_port", "dashboard_agent_listen_port", "metrics_export_port", "runtime_env_agent_port")
"""Ports of a node's helpers; a node waits for each port that is left to them."""
WAITS = {
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_gcs_server_port_wait_time_s": "120",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@contextmanager
def two_nodes() -> Iterator[str]:
    """The address of the cluster, which ends with the block."""
    # Another process, so that its end is the end of the cluster.
    command = [sys.executable, __file__]
    environ = {**os.environ, **WAITS, NAME: MARK}
    for _ in range(TRIES):
        with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as made:
            try:
                assert made.stdout is not None
                if address := made.stdout.readline().strip():
                    yield address
                    return
            finally:
                _end()
    raise RuntimeError("the cluster of two nodes did not start")


def run_on(cluster: str, *arguments: object) -> tuple[int, str]:
    """Run `route-sql` for a cluster in a process of its own; gives its exit code and its messages on one line."""
    command = [sys.executable, "-m", "route_sql", *map(str, arguments), "--ray", cluster]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, " ".join(ended.stderr.split())


def _free_port() -> int:
    with socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


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


def _make() -> None:
    """Start both nodes, print the address, and wait until nobody needs them."""
    clusters: Any = import_module("ray.cluster_utils")
    # Fewer helpers, since each must start within seconds.
    node = {"num_cpus": 1, "include_log_monitor": False}
    head = {**node, **_ports(), "include_dashboard": False, "no_monitor": True}
    cluster = clusters.Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(**node, **_ports())
    print(cluster.address, flush=True)
    sys.stdin.read()


def _ports() -> dict[str, int]:
    return {port: _free_port() for port in PORTS}


if __name__ == "__main__":
    _make()
