"""The four engines as the contract tests see them: one small database each, new for every test."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pymysql
from sqlalchemy import URL

from route_sql.tools.database.engine import Database
from route_sql.tools.database.mysql.database import MySQLDatabase
from route_sql.tools.database.postgres.database import PostgresDatabase
from route_sql.tools.database.running.server import ServerOptions
from route_sql.tools.database.sqlite.database import SQLiteDatabase
from route_sql.tools.limits import Limits

PASSWORD = "p4ss/w:rd@reader"
LIMITS = Limits(seconds=20)
NUMBERS = ", ".join(f"({n})" for n in range(1, 2001))
SCRIPT = (
    "CREATE TABLE dept (id INTEGER PRIMARY KEY, name VARCHAR(50))",
    "INSERT INTO dept VALUES (1, 'Sales'), (2, 'Legal')",
    "CREATE TABLE emp (id INTEGER PRIMARY KEY, name VARCHAR(50), salary DECIMAL(10, 2), rate DOUBLE PRECISION, "
    "born DATE, seen {timestamp}, dept_id INTEGER, FOREIGN KEY (dept_id) REFERENCES dept (id))",
    "INSERT INTO emp VALUES (1, 'Ann', 10.50, 0.1, '1990-02-03', '2024-01-02 10:00:00', 1), "
    "(2, 'Zo\u00eb', 20, 2, NULL, NULL, 2), (3, 'Bob', NULL, NULL, NULL, NULL, NULL)",
    "CREATE TABLE nums (n INTEGER)",
    f"INSERT INTO nums VALUES {NUMBERS}",
    "CREATE VIEW rich AS SELECT id, name FROM emp WHERE salary > 15",
)
ENDLESS = (
    "SELECT COUNT(*) FROM nums a JOIN nums b ON a.n <> b.n JOIN nums c ON b.n <> c.n JOIN nums d ON c.n <> d.n "
    "JOIN nums e ON d.n <> e.n"
)


class Engine(ABC):
    """One engine with a fresh database in it."""

    name: ClassVar[str]
    timestamp = "TIMESTAMP"
    password = PASSWORD

    def __init__(self) -> None:
        self.opened: list[Database] = []

    def fill(self) -> None:
        self.run(*(statement.format(timestamp=self.timestamp) for statement in SCRIPT))

    @abstractmethod
    def run(self, *statements: str) -> None:
        """Run as somebody who may do everything."""

    @abstractmethod
    def make(self, limits: Limits, options: dict[str, Any]) -> Database:
        """The adapter, as a role that may only read."""

    def open(self, limits: Limits = LIMITS, **options: Any) -> Any:
        database = self.make(limits, options)
        self.opened.append(database)
        return database

    async def close(self) -> None:
        for database in self.opened:
            await database.close()
        self.drop()

    def drop(self) -> None:  # noqa: B027 - a file goes with its folder
        """Remove the database."""


class SQLite(Engine):
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "shop.sqlite"

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def make(self, limits: Limits, options: dict[str, Any]) -> Database:
        workers = {"workers": options.pop("pool")} if "pool" in options else {}
        return SQLiteDatabase("shop", self.file, limits, **workers, **options)


class DuckDB(Engine):
    name = "duckdb"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / "shop.duckdb"

    def run(self, *statements: str) -> None:
        import duckdb

        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)

    def make(self, limits: Limits, options: dict[str, Any]) -> Database:
        from route_sql.tools.database.duckdb.database import DuckDBDatabase

        workers = {"workers": options.pop("pool")} if "pool" in options else {}
        return DuckDBDatabase("shop", self.file, limits, **workers, **options)


class ServerEngine(Engine):
    """An engine on a server, with an administrator and a role that may only read."""

    def __init__(self, admin: URL) -> None:
        super().__init__()
        self.admin = admin
        self.database = f"shop_{uuid4().hex[:8]}"
        self.reader = f"reader_{uuid4().hex[:8]}"
        self.port = admin.port

    @property
    def url(self) -> URL:
        """The reader's, through `port`, which a test may set to that of a proxy."""
        return self.admin.set(
            username=self.reader, password=self.password, database=self.database, host="127.0.0.1", port=self.port
        )

    @abstractmethod
    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run as the administrator."""

    @abstractmethod
    def connected(self) -> AbstractContextManager[Any]:
        """A cursor of an administrator's session that stays open."""

    @abstractmethod
    def running(self) -> list[str]:
        """Queries that the reader has running on the server."""

    @abstractmethod
    def kill(self) -> None:
        """End all the reader's sessions on the server."""

    @abstractmethod
    def allow_writing(self) -> None:
        """Give the reader the right to write to `emp`."""


class Postgres(ServerEngine):
    name = "postgres"

    def fill(self) -> None:
        self._as_admin(self.admin, f"CREATE DATABASE {self.database}")
        quoted = self.password.replace("'", "''")
        self.run(f"CREATE ROLE {self.reader} LOGIN PASSWORD '{quoted}'")
        super().fill()
        self.run(
            "CREATE SCHEMA depot",
            "CREATE TABLE depot.stock (id INTEGER PRIMARY KEY, emp_id INTEGER REFERENCES emp (id))",
            "COMMENT ON TABLE emp IS 'the people'",
            "COMMENT ON COLUMN emp.name IS 'given name'",
            f"GRANT USAGE ON SCHEMA public, depot TO {self.reader}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public, depot TO {self.reader}",
        )

    def run(self, *statements: str) -> None:
        self._as_admin(self.admin.set(database=self.database), *statements)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._as_admin(self.admin.set(database=self.database), sql)

    def make(self, limits: Limits, options: dict[str, Any]) -> Database:
        return PostgresDatabase("shop", self.url, ServerOptions(limits, **options))

    def running(self) -> list[str]:
        sql = f"SELECT query FROM pg_stat_activity WHERE usename = '{self.reader}' AND state = 'active'"
        return [str(row[0]) for row in self.ask(sql)]

    def kill(self) -> None:
        self.ask(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{self.reader}'")

    @contextmanager
    def connected(self) -> Iterator[Any]:
        text = self.admin.set(database=self.database).render_as_string(hide_password=False)
        with psycopg.connect(text, autocommit=True) as connection, connection.cursor() as cursor:
            yield cursor

    def allow_writing(self) -> None:
        self.run(f"GRANT INSERT, DELETE ON emp TO {self.reader}")

    def drop(self) -> None:
        self._as_admin(self.admin, f"DROP DATABASE {self.database} WITH (FORCE)", f"DROP ROLE {self.reader}")

    def _as_admin(self, url: URL, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        text = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(text, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows


class MariaDB(ServerEngine):
    name = "mariadb"
    timestamp = "DATETIME"

    def fill(self) -> None:
        depot = f"{self.database}_depot"
        self._as_admin("mysql", f"CREATE DATABASE {self.database}", f"CREATE DATABASE {depot}")
        super().fill()
        self.run(
            f"CREATE TABLE {depot}.stock (id INTEGER PRIMARY KEY, emp_id INTEGER, "
            f"FOREIGN KEY (emp_id) REFERENCES {self.database}.emp (id))",
            "ALTER TABLE emp COMMENT 'the people', MODIFY name VARCHAR(50) COMMENT 'given name'",
            f"CREATE USER {self.reader} IDENTIFIED BY '{self.password}'",
            f"GRANT SELECT ON {self.database}.* TO {self.reader}",
            f"GRANT SELECT ON {depot}.* TO {self.reader}",
        )

    def run(self, *statements: str) -> None:
        self._as_admin(self.database, *statements)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._as_admin(self.database, sql)

    def make(self, limits: Limits, options: dict[str, Any]) -> Database:
        return MySQLDatabase("shop", self.url, ServerOptions(limits, **options))

    def running(self) -> list[str]:
        sql = (
            "SELECT info FROM information_schema.processlist "
            f"WHERE user = '{self.reader}' AND info IS NOT NULL AND state <> ''"
        )
        return [str(row[0]) for row in self.ask(sql)]

    def kill(self) -> None:
        self.run(f"KILL USER {self.reader}")

    def allow_writing(self) -> None:
        self.run(f"GRANT INSERT, DELETE ON {self.database}.emp TO {self.reader}")

    def drop(self) -> None:
        names = (self.database + "_depot", self.database)
        self._as_admin("mysql", *(f"DROP DATABASE {name}" for name in names), f"DROP USER {self.reader}")

    @contextmanager
    def connected(self) -> Iterator[Any]:
        with self._connected(self.database) as cursor:
            yield cursor

    def _as_admin(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        rows: Sequence[tuple[Any, ...]] = ()
        with self._connected(database) as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else ()
        return list(rows)

    @contextmanager
    def _connected(self, database: str) -> Iterator[Any]:
        url = self.admin
        options = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
        with pymysql.connect(**options, database=database, autocommit=True) as connection:
            with connection.cursor() as cursor:
                yield cursor
