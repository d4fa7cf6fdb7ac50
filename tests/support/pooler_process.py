"""A PgBouncer of the tests' own, in front of a PostgreSQL server, with one connection to it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from support.server_processes import free_port

_CONFIG = """
[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
logfile = {folder}/log
"""


def pgbouncer_program() -> str | None:
    """The pooler's program, which Debian keeps where not everybody looks."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


@contextmanager
def pgbouncer(server: URL, users: Mapping[str, str], mode: str = "transaction") -> Iterator[int]:
    """The port of a pooler at which each of the `users` (name and password) has one connection; in session mode two."""
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    folder.chmod(0o777)  # as root it changes to another account
    port = free_port()
    (folder / "users").write_text("".join(f'"{name}" "{password}"\n' for name, password in users.items()))
    settings = {"host": server.host, "server_port": server.port, "port": port, "folder": folder, "mode": mode}
    # A session keeps its connection, and the schema is read on one of its own.
    settings["size"] = 2 if mode == "session" else 1
    (folder / "config").write_text(_CONFIG.format(**settings))
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [str(pgbouncer_program()), "-q", *account, str(folder / "config")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, running)
        yield port
    finally:
        running.kill()
        running.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
