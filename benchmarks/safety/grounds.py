"""The databases that `safety.py` attacks: how each is made, how a change is seen, how it is put back."""

import hashlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from safety.statements import FILL, MARKER, SECRET, TABLES
from sqlalchemy import URL

BAIT = ("x", "x.csv", "x.json", "x.parquet", "a")
"""Names that statements of our list use for a file."""


class Ground(Protocol):
    """A database with a marker in its catalog, next to a file with the marker in it."""

    title: str
    dialect: str
    place: str
    folder: Path
    files: "Folder"
    server_pid: int | None

    def changes(self) -> str:
        """Changes since `restore`, in a few words; empty if there are none."""

    def restore(self) -> None:
        """Make the database and the folder again."""


class Folder:
    """The working folder of a process, and a folder that it must not read."""

    def __init__(self, root: Path) -> None:
        """Nothing is made yet."""
        self.root = root
        self.inside = root / "inside"
        self.outside = root / "outside"
        self._before: dict[str, str] = {}

    def restore(self) -> None:
        """Only the bait and the secret are left."""
        for folder in (self.inside, self.outside):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            folder.chmod(0o777)
        for file in (*(self.inside / name for name in BAIT), self.outside / "secret.csv"):
            file.write_text(f"{SECRET}\n")
            file.chmod(0o644)

    def remember(self) -> None:
        """From here on files that appear or change count."""
        self._before = self._files()

    def changes(self) -> str:
        """The names of files that appeared, changed or went."""
        now = self._files()
        names = sorted(name for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name))
        return ", ".join(names)

    def _files(self) -> dict[str, str]:
        files = (file for file in sorted(self.root.rglob("*")) if file.is_file())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def filled(self, sql: str) -> str:
        """A statement with this folder's paths in it."""
        secret, out = str(self.outside / "secret.csv"), str(self.outside / "out")
        for old, new in (("SECRET", secret), ("/etc/passwd", secret), ("/etc/hostname", secret)):
            sql = sql.replace(old, new)
        return sql.replace("OUT'", f"{out}'").replace('OUT"', f'{out}"').replace("/tmp/emp", out)


class FileGround:
    """SQLite or DuckDB."""

    server_pid: int | None = None

    def __init__(self, title: str, dialect: str, root: Path) -> None:
        """Fill a database once; `restore` copies it."""
        root.mkdir()
        self.title, self.dialect = title, dialect
        self.files = Folder(root)
        self.folder = self.files.inside
        self.place = str(self.folder / "ground.db")
        self._pristine = root.with_name(root.name + ".pristine")
        _fill_file(dialect, self._pristine)

    def restore(self) -> None:
        """See `Ground`."""
        self.files.restore()
        shutil.copyfile(self._pristine, self.place)
        self.files.remember()

    def changes(self) -> str:
        """See `Ground`."""
        return self.files.changes()


def _fill_file(dialect: str, path: Path) -> None:
    script = TABLES + FILL[dialect]
    if dialect == "sqlite":
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        return
    import duckdb

    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(script)


class ServerGround:
    """PostgreSQL or MariaDB; `admin` makes, watches and restores, the statements run as `user`."""

    def __init__(self, title: str, dialect: str, root: Path, admin: URL, user: URL) -> None:
        """Remember both; nothing is made yet."""
        root.mkdir()
        self.title, self.dialect = title, dialect
        self.files = Folder(root)
        self.folder = self.files.inside
        self.place = user.set(database="ground").render_as_string(hide_password=False)
        self._admin = admin
        self._before = ""
        self.server_pid: int | None = int(Path(self._ask(_PID_FILE[dialect])[0][0]).read_text().split()[0])

    def restore(self) -> None:
        """See `Ground`."""
        self.files.restore()
        for (session,) in self._ask(_OTHERS[self.dialect]):
            with suppress(Exception):  # either driver's own: it has ended by itself meanwhile
                self._ask(_KILL[self.dialect].format(session))
        for file in self._strays():
            file.unlink()
        for statement in _REMAKE[self.dialect]:
            self._ask(statement)
        script = f"{TABLES}{FILL[self.dialect]} {_GRANT[self.dialect]}"
        for statement in filter(None, re.split(r";\s+", script)):
            self._ask(statement, "ground")
        self.files.remember()
        self._before = self._state()

    def changes(self) -> str:
        """See `Ground`."""
        appeared = self.files.changes() or ", ".join(file.name for file in self._strays())
        return appeared or ("" if self._state() == self._before else "database")

    def _strays(self) -> list[Path]:
        """Files that MariaDB was made to write among its own; only a superuser's server has any."""
        if self.dialect != "mysql":
            return []
        folder = Path(self._ask("SELECT @@datadir")[0][0]) / "ground"
        return [file for file in folder.glob("*") if file.suffix not in _OWN_FILES]

    def _state(self) -> str:
        try:
            return str([self._ask(query, "ground") for query in _STATE[self.dialect]])
        except Exception as error:  # either driver's own: a table is gone, which is a change like any other
            return str(error)

    def _ask(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        url = self._admin.set(database=database) if database else self._admin
        with closing(_connect(self.dialect, url)) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []


def _connect(dialect: str, url: URL) -> Any:
    """Run as the administrator; waiting for a lock that a statement left behind ends soon."""
    given: dict[str, Any] = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    if dialect == "postgres":
        import psycopg

        return psycopg.connect(**given, dbname=url.database, autocommit=True, options="-c lock_timeout=2s")
    import pymysql

    wait = "SET SESSION lock_wait_timeout = 2, innodb_lock_wait_timeout = 2"
    return pymysql.connect(**given, database=url.database, autocommit=True, init_command=wait, read_timeout=60)


_PID_FILE = {
    "postgres": "SELECT current_setting('data_directory') || '/postmaster.pid'",
    "mysql": "SELECT @@pid_file",
}
_OWN_FILES = {".frm", ".ibd", ".opt", ".MAD", ".MAI"}
_OTHERS = {
    "postgres": "SELECT pid FROM pg_stat_activity WHERE datname = 'ground' AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user IN ('root', 'reader')",
}
_KILL = {"postgres": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}
_REMAKE = {
    "postgres": ("DROP DATABASE IF EXISTS ground WITH (FORCE)", "CREATE DATABASE ground"),
    "mysql": ("DROP DATABASE IF EXISTS ground", "CREATE DATABASE ground"),
}
_GRANT = {
    "postgres": "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    "mysql": "GRANT SELECT, EXECUTE ON ground.* TO reader",
}
_STATE = {
    "postgres": (
        "SELECT oid, relname, relkind, relhasindex, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY oid",
        "SELECT * FROM emp ORDER BY id",
        "SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM nums), (SELECT count(*) FROM dept)",
        "SELECT * FROM pg_sequences",
        "SELECT oid, proname FROM pg_proc WHERE oid >= 16384 ORDER BY oid",
        "SELECT rolname FROM pg_roles UNION SELECT datname FROM pg_database ORDER BY 1",
        "SELECT oid FROM pg_largeobject_metadata ORDER BY oid",
        "SELECT slot_name FROM pg_replication_slots",
        "SELECT name, setting FROM pg_file_settings",
    ),
    "mysql": (
        "SELECT table_name, table_type, create_time FROM information_schema.tables "
        "WHERE table_schema = 'ground' ORDER BY table_name",
        "SELECT * FROM emp ORDER BY id",
        "CHECKSUM TABLE emp, dept, notes, nums",
        "SELECT next_not_cached_value FROM s",
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ground' ORDER BY 1",
        "SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'ground'",
        "SELECT user, host FROM mysql.user ORDER BY 1, 2",
        "SELECT @@global.max_connections, @@global.read_only",
    ),
}


@contextmanager
def grounds(wanted: list[str] | None) -> Iterator[list[Ground]]:
    """Those whose packages are here and whose title begins as one of `wanted`; others are named on the screen."""
    with TemporaryDirectory(prefix="safety-") as folder, ExitStack() as stack:
        root = Path(folder)
        root.chmod(0o755)
        found: list[Ground] = []
        for title, make in (("SQLite", _sqlite), ("DuckDB", _duckdb), ("PostgreSQL", _postgres), ("MariaDB", _mariadb)):
            if wanted and not any(title.lower().startswith(word.lower()) for word in wanted):
                continue
            try:
                found += make(root, stack)
            except (ImportError, OSError) as error:
                print(f"without {title}: {error}")
        yield found


def _sqlite(root: Path, stack: ExitStack) -> list[Ground]:
    return [FileGround("SQLite", "sqlite", root / "sqlite")]


def _duckdb(root: Path, stack: ExitStack) -> list[Ground]:
    return [FileGround("DuckDB", "duckdb", root / "duckdb")]


def _postgres(root: Path, stack: ExitStack) -> list[Ground]:
    from support.server_processes import postgres_server

    return _roles("PostgreSQL", "postgres", root, stack.enter_context(postgres_server()))


def _mariadb(root: Path, stack: ExitStack) -> list[Ground]:
    from support.server_processes import mariadb_server

    return _roles("MariaDB", "mysql", root, stack.enter_context(mariadb_server()))


def _roles(title: str, dialect: str, root: Path, admin: URL) -> list[Ground]:
    """The server twice: as its superuser, and as a role that may only read."""
    with closing(_connect(dialect, admin)) as connection:
        cursor = connection.cursor()
        for statement in _USERS[dialect]:
            cursor.execute(statement)
    reader = admin.set(username="reader", password="reader")
    return [
        ServerGround(f"{title}, superuser", dialect, root / f"{dialect}-super", admin, admin),
        ServerGround(f"{title}, reader", dialect, root / f"{dialect}-reader", admin, reader),
    ]


_USERS = {
    "postgres": ("CREATE ROLE reader LOGIN PASSWORD 'reader'", f"CREATE ROLE {MARKER} LOGIN PASSWORD 'x'"),
    "mysql": ("CREATE USER reader IDENTIFIED BY 'reader'", f"CREATE USER {MARKER} IDENTIFIED BY 'x'"),
}
