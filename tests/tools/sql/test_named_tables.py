"""Names that differ only in case: each means what the engine reads."""

import pytest
from sqlglot import exp, parse_one

from route_sql.tools.guard.columns import show_only
from route_sql.tools.guard.refusal import Refusal
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.rights.visibility import Visibility, visible_schema
from route_sql.tools.sql.named_tables import named_table
from route_sql.tools.sql.usage import tables_and_columns

ID = (Column("id", "INTEGER"),)
TABLES = (
    Table("customer", ID),
    Table("Customer", ID),
    Table("Order", ID),
    Table("customer", ID, namespace="Public"),
    Table("bill", ID, namespace="sales"),
    Table("Bill", ID, namespace="Sales"),
)
POSTGRES = Schema("postgres", TABLES, default="public")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Customer", "customer"),
        ('"Customer"', "Customer"),
        ('"CUSTOMER"', None),
        ("CUSTOMER", "customer"),
        ("Public.Customer", "customer"),
        ('public."Customer"', "Customer"),
        ('"Public".customer', "Public.customer"),
        ('"Public"."Customer"', "Public.customer"),
        ('"PUBLIC".customer', "Public.customer"),
        ("Sales.Bill", "sales.bill"),
        ('"Sales"."Bill"', "Sales.Bill"),
        ('"SALES"."BILL"', None),
        ("Order", "Order"),
        ("depot.customer", None),
    ],
)
def test_a_name_means_the_table_that_postgresql_reads(name: str, key: str | None) -> None:
    node = exp.to_table(name, dialect="postgres")
    found = named_table(node, POSTGRES, "postgres")
    assert (found and found.key) == key


@pytest.mark.parametrize(("name", "key"), [("Customer", "Customer"), ("`customer`", "customer"), ("CUSTOMER", None)])
def test_mariadb_reads_a_name_as_it_is_written(name: str, key: str | None) -> None:
    found = named_table(exp.to_table(name, dialect="mysql"), Schema("mysql", TABLES), "mysql")
    assert (found and found.key) == key


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_other_engines_ignore_case(dialect: str) -> None:
    schema = Schema(dialect, (Table("Order", ID),))
    query = parse_one('SELECT * FROM "ORDER" JOIN main."order" USING (id)', read=dialect)
    assert [named_table(node, schema, dialect) for node in query.find_all(exp.Table)] == [*schema, *schema]


@pytest.mark.parametrize(
    ("sql", "narrowed"),
    [
        ("SELECT id FROM Customer", 'SELECT id FROM Customer'),
        ('SELECT id FROM "Customer"', 'SELECT id FROM "Customer"'),
        ("SELECT id FROM Public.Customer", 'SELECT id FROM "public"."customer" AS Customer'),
        ('SELECT id FROM "Public".customer', 'SELECT id FROM "Public"."customer" AS customer'),
        ('SELECT id FROM "CUSTOMER"', None),
        (
            'WITH "Order" AS (SELECT 1 AS id) SELECT id FROM "ORDER"',
            'WITH "Order" AS (SELECT 1 AS id) SELECT id FROM "public"."Order" AS "ORDER"',
        ),
    ],
)  # fmt: skip
def test_a_narrowed_query_reads_that_table(sql: str, narrowed: str | None) -> None:
    result = show_only(sql, POSTGRES, (), "postgres")
    assert (None if isinstance(result, Refusal) else result) == narrowed


def test_the_columns_that_a_query_uses_are_those_of_that_table() -> None:
    assert tables_and_columns("SELECT id FROM Customer", POSTGRES) == {"customer": ["id"]}
    assert tables_and_columns("SELECT id FROM Public.Customer", POSTGRES) == {"customer": ["id"]}


def test_a_table_hides_no_other_of_its_name_in_another_case() -> None:
    base, item = Table("base", ID), Table("item", ID, primary_key=("id",))
    heir = Table("Item", ID, primary_key=("id",), inherits=("base",))
    keys = (ForeignKey(("id",), "Item", ("id",)), ForeignKey(("id",), "item", ("id",)))
    view = Table("seen", ID, is_view=True, reads=("Item",))
    schema = Schema("postgres", (base, item, heir, Table("note", ID, foreign_keys=keys), view), default="public")
    visible = visible_schema(schema, Visibility(hide=("base",)))
    assert [table.key for table in visible.schema] == ["item", "note", "seen"]
    assert visible.schema.tables[1].foreign_keys == keys[1:], "the other one names the hidden table"
    assert visible.partial == {"seen"}, "the view reads the hidden table"
