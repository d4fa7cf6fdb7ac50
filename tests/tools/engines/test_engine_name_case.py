"""Names that differ only in case: the guard and the rights mean the table that the engine reads."""

from collections.abc import Callable
from typing import Any

import pytest
from support.engine_cases import Engine

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility

POSTGRES = (
    'CREATE SCHEMA "Public"',
    "CREATE TABLE twin AS SELECT 1 AS id, 'public.twin' AS label",
    'CREATE TABLE "Twin" AS SELECT 1 AS "Id", \'public.Twin\' AS label',
    "CREATE TABLE \"Public\".twin AS SELECT 1 AS id, 'Public.twin' AS label",
    'GRANT USAGE ON SCHEMA "Public" TO PUBLIC',
    'GRANT SELECT ON ALL TABLES IN SCHEMA public, "Public" TO PUBLIC',
)
MARIADB = (
    "CREATE TABLE twin AS SELECT 1 AS id, 'twin' AS label",
    "CREATE TABLE `Twin` AS SELECT 1 AS code, 'Twin' AS label",
)
READ = {
    "twin": "public.twin", "Twin": "public.twin", "TWIN": "public.twin", '"Twin"': "public.Twin",
    "Public.Twin": "public.twin", 'PUBLIC."Twin"': "public.Twin", '"Public".twin': "Public.twin",
    '"Public".TWIN': "Public.twin",
}  # fmt: skip
RIGHTS = [EVERYTHING, Visibility(hide=("depot",)), Visibility(hide=("twin.id",))]


async def labels(server: Engine, rights: Visibility, name: str, **options: Any) -> Any:
    database = server.open(**options)
    seen = VisibleDatabase(database, rights) if rights else database
    outcome = await seen.execute(f"SELECT t.label FROM {name} AS t")
    return outcome["rows"][0][0] if outcome["error"] is None else None


@pytest.mark.parametrize("rights", RIGHTS)
async def test_postgresql_folds_bare_names(make_engine: Callable[[str], Engine], rights: Visibility) -> None:
    server = make_engine("postgres")
    server.run(*POSTGRES)
    read = {name: await labels(server, rights, name, namespaces=("public", "Public")) for name in READ}
    assert read == READ


@pytest.mark.parametrize("rights", RIGHTS)
async def test_mariadb_folds_no_name(make_engine: Callable[[str], Engine], rights: Visibility) -> None:
    server = make_engine("mariadb")
    server.run(*MARIADB)
    read = {name: await labels(server, rights, name) for name in ("twin", "Twin", "TWIN")}
    assert read == {"twin": "twin", "Twin": "Twin", "TWIN": None}
