"""Amounts and dates in columns of text: what a query makes of them."""

import pytest

from route_sql.tools.schema.records import Column, Schema, Table
from route_sql.tools.sql.text_values import misread_texts

SCHEMA = Schema(
    "sqlite",
    (
        Table(
            "sale",
            (
                Column("id", "INTEGER", samples=("1", "2")),
                Column("price", "TEXT", samples=("$95,422.00", "$7.50")),
                Column("fee", "TEXT", samples=("€ 1,588.91", "€ 3.10")),
                Column("weight", "TEXT", samples=("5 kg", "12 kg")),
                Column("day", "TEXT", samples=("7/13/2024", "12/1/2023")),
                Column("due", "TEXT", samples=("13.07.2024", "01.12.2023")),
                Column("paid", "TEXT", samples=("Jan 28, 2021", "March 3, 2020")),
                Column("iso", "TEXT", samples=("2024-07-13", "2023-12-01")),
                Column("name", "TEXT", samples=("lamp", "desk 2")),
                Column("amount", "TEXT", samples=("12.5", "7")),
                Column("code", "TEXT", samples=("A12", "B7")),
                Column("one", "TEXT", samples=("$5.00",)),
                Column("unknown", "TEXT"),
            ),
        ),
        Table("client", (Column("id", "INTEGER"), Column("price", "TEXT", samples=("low", "high")))),
    ),
)
MISREAD = {
    "a sum of money": "SELECT SUM(price) FROM sale",
    "one sample": "SELECT SUM(one) FROM sale",
    "an average of money": "SELECT AVG(T1.fee) FROM sale AS T1",
    "a cast": "SELECT AVG(CAST(price AS REAL)) FROM sale",
    "the highest": "SELECT MAX(price) FROM sale",
    "an order": "SELECT id FROM sale ORDER BY fee DESC LIMIT 1",
    "an order by quantity": "SELECT id FROM sale ORDER BY weight",
    "a comparison": "SELECT id FROM sale WHERE price > 100",
    "the other way round": "SELECT id FROM sale WHERE 100 < price",
    "a range of days": "SELECT id FROM sale WHERE day BETWEEN '2023-01-01' AND '2023-12-31'",
    "the first day": "SELECT MIN(due) FROM sale",
    "an order of days": "SELECT id FROM sale ORDER BY paid LIMIT 1",
    "a year": "SELECT COUNT(*) FROM sale WHERE day LIKE '2023%'",
    "in a subquery": "SELECT id FROM client WHERE id IN (SELECT id FROM sale WHERE due > '2024-01-01')",
}
RIGHT = {
    "numbers": "SELECT SUM(id) FROM sale ORDER BY id",
    "numbers as text": "SELECT SUM(amount) FROM sale",
    "quantities, whose number comes first": "SELECT SUM(weight) FROM sale",
    "days that sort": "SELECT MIN(iso) FROM sale WHERE iso > '2024-01-01' AND iso LIKE '2024%'",
    "names": "SELECT id FROM sale WHERE name > 'k' ORDER BY name",
    "codes": "SELECT id FROM sale ORDER BY code",
    "a text that was made a number": "SELECT SUM(CAST(REPLACE(REPLACE(price, '$', ''), ',', '') AS REAL)) FROM sale",
    "equality": "SELECT id FROM sale WHERE price = '$7.50' AND day = '7/13/2024'",
    "a year at its place": "SELECT COUNT(*) FROM sale WHERE day LIKE '%2023'",
    "no sample": "SELECT SUM(unknown) FROM sale",
    "a count": "SELECT price, COUNT(*) FROM sale GROUP BY price ORDER BY COUNT(*)",
    "a column of two tables": "SELECT SUM(price) FROM sale JOIN client ON sale.id = client.id",
    "no query": "DROP TABLE sale",
}


@pytest.mark.parametrize("sql", MISREAD.values(), ids=MISREAD)
def test_a_misread_text_is_a_complaint(sql: str) -> None:
    complaint = misread_texts(sql, SCHEMA)
    assert complaint is not None and "its values are texts such as" in complaint


@pytest.mark.parametrize("sql", RIGHT.values(), ids=RIGHT)
def test_other_queries_are_not_doubted(sql: str) -> None:
    assert misread_texts(sql, SCHEMA) is None


def test_the_complaint_names_the_column_and_a_value() -> None:
    assert misread_texts("SELECT SUM(price) FROM sale", SCHEMA) == (
        "The query runs, but SUM(price) reads price as a number, and its values are texts such as '$95,422.00'."
    )
