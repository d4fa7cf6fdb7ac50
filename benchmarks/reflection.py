"""The processor time to reflect, sample, render and cut a SQLite database of many tables.

Measured: one process, a warm file cache, the median of five runs each; the load of the machine changes it little. Left
out: starting Python, and engines other than SQLite. Writes `reflection.md` next to this file.
"""

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from shared.heading import heading
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from route_sql.tools.schema.reflection.reflect import reflect
from route_sql.tools.schema.reflection.samples import with_samples
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.schema.rendering import render

TABLES = 500
COLUMNS = 21
ROWS = 50
RUNS = 5
QUESTION = "Which customers of store 17 placed an order in May?"


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder) / "many.sqlite")
    lines = [
        "| step | median seconds of processor time |",
        "| --- | --- |",
        *(f"| {step} | {took:.3f} |" for step, took in rows),
    ]
    title = f"Reflection: {TABLES} tables of {COLUMNS} columns and {ROWS} rows"
    text = heading(title, "sqlalchemy", SQLite=sqlite3.sqlite_version) + "\n\n" + "\n".join(lines) + "\n"
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


def measure(file: Path) -> list[tuple[str, float]]:
    """The steps' names and median seconds."""
    fill(file)
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    reader = sqlite3.connect(file)
    with engine.connect() as connection:
        schema = reflect(connection)
        sampled = with_samples(schema, lambda sql, limits: reader.execute(sql).fetchall(), seconds=60)
        steps: list[tuple[str, Callable[[], object]]] = [
            ("reflect", lambda: reflect(connection)),
            (
                "read samples",
                lambda: with_samples(schema, lambda sql, limits: reader.execute(sql).fetchall(), seconds=60),
            ),
            (f"render ({len(render(sampled)):,} characters)", lambda: render(sampled)),
            ("cut to 16,000 characters", lambda: reduce_schema(sampled, QUESTION, 16_000)),
        ]
        rows = [(step, statistics.median(seconds(work) for _ in range(RUNS))) for step, work in steps]
    reader.close()
    return rows


def fill(file: Path) -> None:
    """Make the database: every table refers to the one before."""
    words = ("customer", "order", "store", "product", "invoice", "city", "employee")
    writer = sqlite3.connect(file)
    for number in range(TABLES):
        columns = ", ".join(f"{words[i % 7]}_{words[number % 7]}_{i} VARCHAR(20)" for i in range(COLUMNS - 2))
        parent = f"parent_id INTEGER REFERENCES {words[(number - 1) % 7]}_{max(number - 1, 0)} (id)"
        writer.execute(f"CREATE TABLE {words[number % 7]}_{number} (id INTEGER PRIMARY KEY, {parent}, {columns})")
        cells = [(row, 1, *(f"value {row} {i}" for i in range(COLUMNS - 2))) for row in range(ROWS)]
        marks = ", ".join("?" * COLUMNS)
        writer.executemany(f"INSERT INTO {words[number % 7]}_{number} VALUES ({marks})", cells)
    writer.commit()
    writer.close()


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
