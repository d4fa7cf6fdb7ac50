"""Functions of the user's own whose names are words of the grammar: each is a call, and none may be made."""

from contextlib import suppress

import pytest
from support.engine_cases import Engine, MariaDB

from route_sql.tools.database.visible import VisibleDatabase
from route_sql.tools.guard.functions.by_dialect import FUNCTIONS
from route_sql.tools.guard.grammar import words_of
from route_sql.tools.schema.rights.visibility import Visibility

HIDE = Visibility(hide=("secret",))
SCRIPT = ("CREATE TABLE secret (token VARCHAR(20))", "INSERT INTO secret VALUES ('mk7tok1')")
DIALECTS = {"postgres": "postgres", "duckdb": "duckdb", "mariadb": "mysql"}
MADE = {
    "postgres": "CREATE FUNCTION {}(n INTEGER) RETURNS TEXT LANGUAGE sql STABLE SECURITY DEFINER "
    "AS 'SELECT max(token) FROM secret'",
    "duckdb": "CREATE MACRO {}(n) AS (SELECT max(token) FROM secret)",
    "mariadb": "CREATE FUNCTION {}(n INTEGER) RETURNS TEXT READS SQL DATA RETURN (SELECT max(token) FROM secret)",
}
STATEMENTS = (
    "SELECT {}(1)",
    "SELECT concat({}(1), 'x')",
    "SELECT 1 WHERE 'x' < {}(1)",
    "SELECT * FROM {}(1)",
    "SELECT * FROM dept, {}(1)",
    "WITH {0} AS (SELECT 1 AS x) SELECT * FROM {0}(1)",
    "WITH {0}(x) AS (SELECT 1) SELECT * FROM dept CROSS JOIN {0}(1) AS t",
)
ELSEWHERE = (
    "sample",
    "apply",
    "top",
    "map",
    "struct",
    "columns",
    "regexp",
    "rlike",
    "nulls",
    "partition",
    "system_time",
)
"""Words that are grammar in another engine only, or behind other words."""


@pytest.mark.parametrize("engine", ["postgres", "duckdb", "mariadb"], indirect=True)
async def test_a_function_named_like_a_word_of_the_grammar_is_not_called(engine: Engine) -> None:
    engine.run(*SCRIPT)
    words = {*words_of("mysql"), *words_of("postgres"), *words_of("duckdb"), *ELSEWHERE} - FUNCTIONS[
        DIALECTS[engine.name]
    ]
    made = [word for word in sorted(words) if _is_made(engine, word)]
    if isinstance(engine, MariaDB):
        engine.run(f"GRANT EXECUTE ON {engine.database}.* TO {engine.reader}")
    assert len(made) >= 15
    visible = VisibleDatabase(engine.open(), HIDE)
    leaks = []
    for word in made:
        for statement in STATEMENTS:
            outcome = await visible.execute(sql := statement.format(word))
            if "mk7" in str(outcome) or (outcome["status"] == "ok" and "WHERE" in sql):
                leaks.append((sql, outcome["status"], outcome["rows"]))
    assert leaks == []


def _is_made(engine: Engine, word: str) -> bool:
    with suppress(Exception):  # each driver says in its own way that the word is reserved
        engine.run(MADE[engine.name].format(word))
        return True
    return False
