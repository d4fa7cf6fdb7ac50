"""Options behind the `?` of a database's URL."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from route_sql.tools.database.mysql.database import MySQLDatabase
from route_sql.tools.database.open_database import open_database
from route_sql.tools.errors import DatabaseUnavailable

REFUSED = [
    "mysql://u:s3cret@h/d?init_command=DELETE+FROM+t",
    "mysql://u:s3cret@h/d?read_default_file=/etc/passwd",
    "mysql://u:s3cret@h/d?read_default_group=client",
    "mysql://u:s3cret@h/d?conv=1",
    "mysql://u:s3cret@h/d?cursorclass=x",
    "mysql://u:s3cret@h/d?local_infile=1",
    "mysql://u:s3cret@h/d?client_flag=65536",
    "mysql://u:s3cret@h/d?sql_mode=ANSI_QUOTES",
    "mysql://u:s3cret@h/d?host=elsewhere",
    "mysql://u:s3cret@h/d?passwd=other",
    "mysql://u:s3cret@h/d?defer_connect=1",
    "mysql://u:s3cret@h/d?read_timeout=100000",
    "mysql://u:s3cret@h/d?connect_timeout=0",
    "mysql://u:s3cret@h/d?connect_timeout=1e9",
    "mysql://u:s3cret@h/d?ssl_verify_cert=maybe",
    "mysql://u:s3cret@h/d?charset=latin1",
    "mysql://u:s3cret@h/d?ssl_ca=",
    "mysql://u:s3cret@h/d?ssl_ca=a&ssl_ca=b",
    "mariadb://u:s3cret@h/d?init_command=x",
    "postgresql://u:s3cret@h/d?options=-c+default_transaction_read_only%3Doff",
    "postgresql://u:s3cret@h/d?service=other",
    "postgresql://u:s3cret@h/d?servicefile=/etc/passwd",
    "postgresql://u:s3cret@h/d?passfile=/etc/passwd",
    "postgresql://u:s3cret@h/d?sslkeylogfile=/tmp/keys",
    "postgresql://u:s3cret@h/d?replication=database",
    "postgresql://u:s3cret@h/d?dbname=other",
    "postgresql://u:s3cret@h/d?user=postgres",
    "postgresql://u:s3cret@h/d?prepare_threshold=0",
    "postgresql://u:s3cret@h/d?autocommit=1",
    "postgresql://u:s3cret@h/d?connect_timeout=0",
    "postgresql://u:s3cret@h/d?sslmode=maybe",
    "postgresql://u:s3cret@h/d?client_encoding=latin1",
    "postgresql://u:s3cret@h/d?SSLMODE=require",
    "sqlite:///a.sqlite?mode=rwc",
    "sqlite:///a.sqlite?vfs=unix-none",
    "sqlite:///a.sqlite?immutable=1",
    "sqlite:///a.sqlite?uri=true",
    "duckdb:///a.duckdb?access_mode=read_write",
    "duckdb:///a.duckdb?allow_unsigned_extensions=true",
]
TAKEN = [
    "mysql://u:s3cret@h/d?charset=utf8mb4&connect_timeout=10",
    "mysql://u:s3cret@h/d?unix_socket=/run/mysqld/mysqld.sock",
    "mysql://u:s3cret@h/d?ssl_ca=ca.pem&ssl_cert=c.pem&ssl_key=k.pem&ssl_verify_identity=true",
    "postgresql://u:s3cret@h/d?sslmode=verify-full&sslrootcert=ca.pem&application_name=mine",
    "postgresql://u:s3cret@/d?host=/var/run/postgresql",
    "postgresql://u:s3cret@/d?host=a:1&host=b:2&target_session_attrs=read-only&connect_timeout=10",
    "sqlite:///a.sqlite?mode=ro",
    "duckdb:///a.duckdb?access_mode=read_only",
]


@pytest.mark.parametrize("url", REFUSED)
def test_an_option_that_may_not_be_set_is_refused_at_once(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"^the option \w+ ") as caught:
        open_database("shop", url, tmp_path)
    reported = str(caught.value)
    assert "\n" not in reported and "s3cret" not in reported and "/etc/passwd" not in reported


@pytest.mark.parametrize("url", TAKEN)
async def test_a_useful_option_is_taken(url: str, tmp_path: Path) -> None:
    await open_database("shop", url, tmp_path).close()


async def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a line of a secret file\n")
    for name in ("ca.pem", "missing.pem"):
        database = MySQLDatabase("shop", make_url(f"mysql://u:s3cret@127.0.0.1:1/d?ssl_ca={tmp_path / name}"))
        with pytest.raises(DatabaseUnavailable, match="certificate or key can't be used") as caught:
            await database.execute("SELECT 1")
        assert "secret file" not in str(caught.value) and caught.value.__context__ is None
        await database.close()
