"""Unclear words of a question on real engines: the same readings everywhere, in the engine's own SQL."""

import pytest
from support.engine_cases import Engine

from route_sql.graph.person.clarifying import unclear_points
from route_sql.graph.state import Question
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.schema.rights.visibility import EVERYTHING
from route_sql.tools.values.find_values import ValueIndexes

SCRIPT = (
    "CREATE TABLE town (id INTEGER PRIMARY KEY, name VARCHAR(40), state VARCHAR(40), people INTEGER)",
    "INSERT INTO town VALUES (1, 'Spring\\Field''s', 'Illinois', 5), (2, 'Spring\\Field''s', 'Iowa', 6), "
    "(3, 'Salem', 'Iowa', 7)",
    "CREATE TABLE port (id INTEGER PRIMARY KEY, title VARCHAR(40), place VARCHAR(40))",
    "INSERT INTO port VALUES (1, 'Alton', 'Alton'), (2, 'Molde', 'Molde')",
    "CREATE TABLE store (id INTEGER PRIMARY KEY, place VARCHAR(40))",
    "INSERT INTO store VALUES (1, 'Molde')",
)


def script(engine: Engine) -> tuple[str, ...]:
    if engine.name == "mariadb":  # a backslash in a literal is doubled
        return tuple(each.replace("\\", "\\\\") for each in SCRIPT)
    grant = ("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",)
    return (*SCRIPT, *grant) if engine.name == "postgres" else SCRIPT


@pytest.mark.parametrize(
    ("question", "readings"),
    [
        ('How many people does "Spring\\Field\'s" have?', ["Illinois", "Iowa"]),
        ('How many people does "Spring\\Field\'s" in Iowa have?', None),
        ("How many people does Salem have?", None),
        ("Where is Alton?", None),
        ("Where is Molde?", ["port.", " store.place = 'Molde'"]),
        ("What are the names?", ["dept.name", "emp.name", "town.name"]),
    ],
)
async def test_unclear_words_have_the_same_readings(engine: Engine, question: str, readings: list[str] | None) -> None:
    engine.run("DROP VIEW IF EXISTS rich", *script(engine))
    database = engine.open()
    catalog = Catalog({database.name: database})
    asked = Question(question=question, database=database.name)
    points = await unclear_points(asked, catalog, EVERYTHING, ValueIndexes())
    found = [each["readings"] for each in points]
    assert len(found) == (readings is not None), found
    assert all(part in " ".join(found[0]) for part in readings or ())
    for reading in (each for each in sum(found, []) if " = " in each):
        outcome = await database.execute(f"SELECT COUNT(*) FROM {reading.split('.')[0]} WHERE {reading}")
        assert outcome["rows"] == [[1]], reading
