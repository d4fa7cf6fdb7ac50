"""The table of SECURITY.md counts the lists of statements that the guard is tried on."""

import re
from pathlib import Path

from support.guard_statements import BOUNDED, HONEST, REFUSED

PAGE = (Path(__file__).parents[3] / "SECURITY.md").read_text()
DIALECTS = {
    "SQLite": "sqlite",
    "PostgreSQL": "postgres",
    "MySQL, MariaDB": "mysql",
    "DuckDB": "duckdb",
    "SQL Server": "tsql",
}


def test_the_table_has_the_numbers_of_the_lists() -> None:
    said = re.findall(r"^\| ([\w, ]+) \| (\d+) \| 0 \| (\d+) \| 0 \|$", PAGE, re.MULTILINE)
    have = {
        title: (len(REFUSED[name]), len(HONEST[name]) + len(BOUNDED.get(name, []))) for title, name in DIALECTS.items()
    }
    assert {title: (int(attacks), int(honest)) for title, attacks, honest in said} == have
