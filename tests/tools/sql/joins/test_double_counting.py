"""Sums and averages over a join that repeats their rows."""

import pytest

from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.sql.joins.double_counting import double_counting


def table(name: str, columns: str, key: str = "id", **keys: str) -> Table:
    foreign = tuple(ForeignKey((column,), target, ("id",)) for column, target in keys.items())
    parts = tuple(Column(each, "INTEGER") for each in columns.split())
    return Table(name, parts, primary_key=tuple(key.split()), foreign_keys=foreign)


SCHEMA = Schema(
    "sqlite",
    (
        table("client", "id age city"),
        table("invoice", "id client_id total", client_id="client"),
        table("line", "id invoice_id price", invoice_id="invoice"),
        table("membership", "client_id club_id fee", "client_id club_id", client_id="client", club_id="club"),
        table("club", "id title"),
        table("remark", "invoice_id text", ""),
        table("visit", "client_id day", "", client_id="client"),
        table("room", "id size", ""),
        table("booking", "id room_id nights", room_id="room"),
    ),
)

DOUBLED = {
    "a sum over the lines of an invoice": "SELECT SUM(i.total) FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "the same in WHERE": "SELECT SUM(i.total) FROM invoice i, line l WHERE l.invoice_id = i.id",
    "an average of two steps": (
        "SELECT AVG(c.age) FROM line l JOIN invoice i ON l.invoice_id = i.id JOIN client c ON c.id = i.client_id"
    ),
    "grouped by its own column": (
        "SELECT c.city, AVG(c.age) FROM client c JOIN invoice i ON i.client_id = c.id GROUP BY c.city"
    ),
    "in a subquery": (
        "SELECT * FROM club WHERE id < (SELECT SUM(i.total) FROM invoice i JOIN line l ON l.invoice_id = i.id)"
    ),
    "an expression": "SELECT SUM(i.total * 2) / 3 FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "a table without a key that refers to the summed one": (
        "SELECT AVG(c.age) FROM client c JOIN visit v ON v.client_id = c.id"
    ),
    "a summed one without a key": "SELECT SUM(r.size) FROM room r JOIN booking b ON b.room_id = r.id",
    "in HAVING": (
        "SELECT i.client_id FROM invoice i JOIN line l ON l.invoice_id = i.id GROUP BY i.client_id "
        "HAVING SUM(i.total) > 5"
    ),
}
SOUND = {
    "the other direction": "SELECT SUM(l.price) FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "an average of members of one club": (
        "SELECT AVG(c.age) FROM client c JOIN membership m ON m.client_id = c.id JOIN club k ON k.id = m.club_id "
        "WHERE k.title = 'chess'"
    ),
    "an average for each club": (
        "SELECT m.club_id, AVG(c.age) FROM client c JOIN membership m ON m.client_id = c.id GROUP BY m.club_id"
    ),
    "a key that is whole with a constant": (
        "SELECT AVG(c.age) FROM client c JOIN membership m ON m.client_id = c.id WHERE m.club_id = 3"
    ),
    "different values": "SELECT SUM(DISTINCT i.total) FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "a maximum": "SELECT MAX(i.total) FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "a count by condition": (
        "SELECT SUM(CASE WHEN c.city = 'Oslo' THEN 1 ELSE 0 END) FROM client c JOIN invoice i ON i.client_id = c.id"
    ),
    "columns of both": "SELECT SUM(i.total * l.price) FROM invoice i JOIN line l ON l.invoice_id = i.id",
    "a table without a key": "SELECT SUM(i.total) FROM invoice i JOIN remark r ON r.invoice_id = i.id",
    "the other direction without keys": "SELECT SUM(b.nights) FROM room r JOIN booking b ON b.room_id = r.id",
    "a table without a key, chosen from": (
        "SELECT AVG(c.age) FROM client c JOIN visit v ON v.client_id = c.id WHERE v.day = 3"
    ),
    "a subquery as source": (
        "SELECT SUM(i.total) FROM invoice i JOIN (SELECT DISTINCT invoice_id FROM line) l ON l.invoice_id = i.id"
    ),
    "a semi-join": "SELECT SUM(i.total) FROM invoice i WHERE i.id IN (SELECT invoice_id FROM line)",
    "one table": "SELECT SUM(total) FROM invoice",
    "no query": "DROP TABLE invoice",
}


@pytest.mark.parametrize("sql", DOUBLED.values(), ids=DOUBLED)
def test_a_repeated_row_is_a_complaint(sql: str) -> None:
    complaint = double_counting(sql, SCHEMA)
    assert complaint is not None and "once for each row of" in complaint


@pytest.mark.parametrize("sql", SOUND.values(), ids=SOUND)
def test_other_queries_are_not_doubted(sql: str) -> None:
    assert double_counting(sql, SCHEMA) is None


def test_the_complaint_names_both_tables() -> None:
    complaint = double_counting(DOUBLED["a sum over the lines of an invoice"], SCHEMA)
    assert complaint == (
        "The query runs, but SUM(i.total) takes a row of invoice once for each row of line joined with it."
    )
