"""Random statements against hidden names, on every engine; `benchmarks/safety/fuzz.py` runs many more."""

from itertools import islice

from support.engine_cases import Engine
from support.name_fuzz import HIDE, OWN_SCRIPT, SCRIPT, Statements, leaked

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.schema.rendering import render

STATEMENTS = 400


async def test_no_statement_shows_a_hidden_value(engine: Engine) -> None:
    engine.run("DROP VIEW IF EXISTS rich")
    engine.run(*SCRIPT, *OWN_SCRIPT.get(engine.name, ()))
    database = VisibleDatabase(engine.open(), HIDE)
    assert leaked(render(await database.schema())) is None
    ran = 0
    for sql in islice(Statements(database.dialect, seed=1), STATEMENTS):
        outcome = await database.execute(sql)
        assert leaked(str(outcome)) is None, sql
        ran += outcome["digest"] is not None
    assert ran > STATEMENTS / 20
