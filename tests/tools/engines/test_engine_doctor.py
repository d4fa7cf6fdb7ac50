"""`route-sql doctor` on a server: what it prints of the role, and how it ends."""

from pathlib import Path

import pytest
from support.chat_stub import ChatStub, completion
from support.engine_cases import ServerEngine

from route_sql.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The command reads databases.toml from the folder it is called in.
    monkeypatch.chdir(tmp_path)


def doctor(server: ServerEngine, stub: ChatStub) -> int:
    stub.enqueue(completion("hello"))
    scheme = "postgresql" if server.name == "postgres" else "mysql"
    url = server.url.set(drivername=scheme).render_as_string(hide_password=False)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--model", stub.url, "--db", url])
    return int(ended.value.code or 0)


def test_what_is_to_be_done_is_printed(
    server: ServerEngine, stub: ChatStub, capsys: pytest.CaptureFixture[str]
) -> None:
    server.allow_writing()
    assert doctor(server, stub) == 1
    shown = capsys.readouterr().out
    assert "can be read; tables: 4" in shown
    assert "is not set on the" in shown and "make a role that may only read" in shown
    is_postgres = server.name == "postgres"
    assert ("it may write to public.emp" if is_postgres else "it has DELETE, INSERT on ") in shown
    assert ('CREATE ROLE "route_sql_reader"' if is_postgres else "CREATE USER 'route_sql_reader'@'%'") in shown
    assert "GRANT SELECT" in shown and server.password not in shown


def test_a_role_that_is_right_is_fine(server: ServerEngine, stub: ChatStub, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(server, stub) == 1
    statements = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("ALTER")]
    server.run(*statements)
    assert doctor(server, stub) == 0
    assert "may only read, and its time-outs are set" in capsys.readouterr().out
