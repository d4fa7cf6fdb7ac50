"""Rows as the tasks make them, over two small tables, without a database."""

import json
from collections.abc import Iterable
from pathlib import Path

SCHEMA = """CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer (id), pieces INTEGER);"""
CITIES = ("Bern", "Ulm", "Zürich", "Köln")


def write_rows(file: Path, task: str, indices: Iterable[int]) -> Path:
    """Write one row for each index."""
    file.write_text("".join(json.dumps(row(task, index)) + "\n" for index in indices), encoding="utf-8")
    return file


def row(task: str, index: int) -> dict[str, object]:
    """A row; the same index gives the same row."""
    city = CITIES[index % len(CITIES)]
    question = f"How many customers in {city} bought more than {index} pieces?"
    sql = (
        "SELECT count(DISTINCT customer.id) FROM customer JOIN sale ON sale.customer_id = customer.id "
        f"WHERE customer.city = '{city}' AND sale.pieces > {index}"
    )
    link = {"customer": ["id", "city"], "sale": ["customer_id", "pieces"]}
    return {
        "task": task,
        "kind": "full",
        "index": index,
        "database": "shop",
        "question": question,
        "evidence": "",
        "gold": sql,
        "given": "",
        "executable": True,
        "tokens": 0,
        "prompt": [
            {"role": "system", "content": "You write SQL for SQLite."},
            {"role": "user", "content": f"{SCHEMA}\n\nQuestion: {question}\nTask: {task}"},
        ],
        "completion": [{"role": "assistant", "content": sql if task == "text_to_sql" else json.dumps(link)}],
    }
