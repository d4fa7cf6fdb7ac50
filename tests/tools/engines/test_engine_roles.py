"""The report on a role, and that the statements which should repair it do."""

import re

from sqlalchemy import URL
from support.engine_cases import MariaDB, Postgres, ServerEngine

from route_sql.tools.database.roles import PASSWORD, READER, RoleReport, role_report
from route_sql.tools.database.sqlite.database import SQLiteDatabase


async def _report(server: ServerEngine) -> RoleReport:
    report = await role_report(server.open())
    assert report is not None
    return report


async def test_a_reader_lacks_time_outs_until_the_statements_have_run(server: ServerEngine) -> None:
    report = await _report(server)
    assert report.findings and not any(finding.is_risk for finding in report.findings)
    assert await server.open().warnings() == ()
    server.run(*report.statements)
    assert (await _report(server)).is_fine


async def test_a_role_that_can_write_works_with_a_warning(server: ServerEngine) -> None:
    server.allow_writing()
    database = server.open()
    assert (await database.execute("SELECT COUNT(*) FROM emp"))["rows"] == [[3]]
    [warning] = await database.warnings()
    expected = "may write to public.emp" if isinstance(server, Postgres) else "DELETE, INSERT on "
    assert expected in warning and "route-sql doctor --db shop" in warning


async def test_an_administrator_is_found_out_and_the_statements_make_a_reader(server: ServerEngine) -> None:
    reader, server.reader = server.reader, str(server.admin.username)
    server.password, password = str(server.admin.password), server.password
    report = await _report(server)
    expected = "is a superuser" if isinstance(server, Postgres) else "has ALL PRIVILEGES"
    assert expected in report.findings[0].text
    server.reader, server.password = reader, password
    await _mended(server, report)


async def _mended(server: ServerEngine, report: RoleReport) -> None:
    new = f"{server.reader}_new"
    statements = [text.replace(READER, new).replace(PASSWORD, server.password) for text in report.statements]
    old, server.reader = server.reader, new
    try:
        server.run(*statements)
        assert (await _report(server)).is_fine
        schema = await server.open().schema()
        assert {table.key for table in schema} == {"dept", "emp", "nums", "rich"}
        assert (await server.open().execute("SELECT COUNT(*) FROM emp"))["rows"] == [[3]]
    finally:
        for database in server.opened:
            await database.close()
        server.run(*([f"DROP OWNED BY {new}"] if isinstance(server, Postgres) else []))
        server.run(f"DROP {'ROLE' if isinstance(server, Postgres) else 'USER'} {new}")
        server.reader = old


async def test_rights_beyond_tables_are_found(server: ServerEngine) -> None:
    if isinstance(server, Postgres):
        server.run(
            f"GRANT pg_read_server_files TO {server.reader}", f"GRANT CREATE ON SCHEMA public TO {server.reader}"
        )
        texts = [finding.text for finding in (await _report(server)).findings]
        assert texts[:2] == ["it may read files of the server", "it may create in schema public"]
    else:
        server.run(f"GRANT FILE ON *.* TO {server.reader}", f"GRANT CREATE ON {server.database}.* TO {server.reader}")
        texts = [finding.text for finding in (await _report(server)).findings]
        assert texts[0] == "it has FILE on *.*" and any(text.startswith("it has CREATE on ") for text in texts)


async def test_rights_through_a_role_are_found(server: ServerEngine) -> None:
    role = f"{server.reader}_writers"
    try:
        server.run(f"CREATE ROLE {role}")
        place = "emp" if isinstance(server, Postgres) else f"{server.database}.emp"
        server.run(f"GRANT DELETE ON {place} TO {role}", f"GRANT {role} TO {server.reader}")
        if isinstance(server, MariaDB):
            server.run(f"SET DEFAULT ROLE {role} FOR {server.reader}")
        report = await _report(server)
        assert any(re.search("may write to public.emp|DELETE on ", finding.text) for finding in report.findings)
    finally:
        server.run(*([f"DROP OWNED BY {role}"] if isinstance(server, Postgres) else []), f"DROP ROLE {role}")


async def test_no_report_holds_a_secret(server: ServerEngine) -> None:
    server.allow_writing()
    report = repr(await _report(server))
    assert server.password not in report and PASSWORD in report and "IDENTIFIED BY PASSWORD" not in report


async def test_a_file_has_no_role(tmp_path) -> None:
    database = SQLiteDatabase("shop", tmp_path / "shop.sqlite")
    assert await role_report(database) is None
    await database.close()


def test_urls_are_not_changed_by_being_used(server: ServerEngine) -> None:
    assert isinstance(server.url, URL) and server.url.password == server.password
