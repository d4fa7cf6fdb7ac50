"""DuckDB views that nothing can stop while they are bound: the schema of the others is read all the same."""

from pathlib import Path

import pytest

from route_sql.tools.database.duckdb.database import DuckDBDatabase

duckdb = pytest.importorskip("duckdb", reason="the extra duckdb is not installed")


async def test_views_that_cost_too_much_do_not_stop_the_schema(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "chain.duckdb")) as connection:
        connection.execute("CREATE TABLE good (a INTEGER)")
        connection.execute("INSERT INTO good VALUES (7)")
        connection.execute("CREATE VIEW v0 AS SELECT a FROM good")
        for number in range(1, 18):  # each doubles the work of the one before, in a step that can't be interrupted
            before = f"v{number - 1}"
            connection.execute(f"CREATE VIEW v{number} AS SELECT x.a FROM {before} x JOIN {before} y ON x.a = y.a")
    database = DuckDBDatabase("chain", tmp_path / "chain.duckdb")
    schema = await database.schema()
    table, view = schema.table("good"), schema.table("v17")
    assert table is not None and table.columns[0].samples == ("7",)
    assert view is not None and view.columns[0].samples == ()
    assert "Views or tables of the database chain have no sample values" in (await database.warnings())[0]
    assert (await database.execute("SELECT a FROM good"))["rows"] == [[7]]
    await database.close()
