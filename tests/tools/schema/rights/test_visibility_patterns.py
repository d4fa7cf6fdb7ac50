"""What allow and hide lists leave of a schema, and how a query is narrowed to it; nothing is run."""

from collections.abc import Sequence

import pytest

from route_sql.tools.guard.columns import show_only
from route_sql.tools.guard.refusal import Refusal
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table
from route_sql.tools.schema.rendering import render
from route_sql.tools.schema.rights.visibility import EVERYTHING, Visibility, visible_schema

SALES = Schema(
    "postgres",
    (
        Table(
            "Order",
            (
                Column("id", "int", comment="see margin"),
                Column("margin", "int"),
                Column("label", "text", samples=("margin", "lamp")),
                Column("part", "int"),
            ),
            primary_key=("id", "margin"),
            foreign_keys=(ForeignKey(("part",), "stock.part", ("id",)), ForeignKey(("margin",), "stock.part")),
            comment="the MARGIN of each",
        ),
        Table("part", (Column("id", "int"), Column("cost.unit", "int")), "stock", ("id",)),
        Table("log", (Column("line", "text"),), "audit", comment="who did what"),
    ),
)


def test_keys_comments_and_samples_that_name_what_is_hidden_go_too() -> None:
    visible = visible_schema(SALES, Visibility(hide=("order.margin", "audit.*")))
    assert visible.partial == {"Order"}
    assert visible.hidden == {"margin", "log", "line"}
    order = visible.schema.table("Order")
    assert order is not None
    assert (order.primary_key, order.comment, order.columns[0].comment) == ((), None, None)
    assert order.columns[1].samples == ("lamp",)
    assert order.foreign_keys == (ForeignKey(("part",), "stock.part", ("id",)),)
    assert "margin" not in render(visible.schema).casefold()


@pytest.mark.parametrize(
    ("allow", "hide", "shown"),
    [
        (
            (),
            (),
            {"Order": ["id", "margin", "label", "part"], "stock.part": ["id", "cost.unit"], "audit.log": ["line"]},
        ),
        (("order",), (), {"Order": ["id", "margin", "label", "part"]}),
        (("PUBLIC.ORDER.ID", "part.id"), (), {"Order": ["id"], "stock.part": ["id"]}),
        (("stock.*",), (), {"stock.part": ["id", "cost.unit"]}),
        (("*",), ("o*", "log"), {"stock.part": ["id", "cost.unit"]}),
        ((), ("*.*.id", "Order.[lm]*", "part.cost.unit", "audit.log"), {"Order": ["part"]}),
        ((), ("stock.part.cost.unit", "public.order", "audit.log.line"), {"stock.part": ["id"]}),
        (("nonesuch",), (), {}),
        (('"order"."id"', "`stock`.part.id"), (), {"Order": ["id"], "stock.part": ["id"]}),
        ((), ('public."Order"', '`audit`."log"', 'part."cost.unit"'), {"stock.part": ["id"]}),
        (
            (),
            ('"o*"', '"stock.part"', '"audit.log.line"', '"part".cost'),
            {"stock.part": ["id", "cost.unit"], "audit.log": ["line"]},
        ),
    ],
)
def test_patterns(allow: Sequence[str], hide: Sequence[str], shown: dict[str, list[str]]) -> None:
    assert visible_schema(SALES, Visibility(tuple(allow) or None, tuple(hide))).schema.names() == shown


ODD = Schema("sqlite", tuple(Table(name, (Column("id", "int"),)) for name in ("order details", 'the "best"', "`x`")))


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ('"order details"', ['the "best"', "`x`"]),
        ("`Order Details`.id", ['the "best"', "`x`"]),
        ("order details", ['the "best"', "`x`"]),
        ('main."the ""best"""', ["order details", "`x`"]),
        ('the "best"', ["order details", "`x`"]),
        ("`x`", ["order details", 'the "best"']),
        ('"order details', ["order details", 'the "best"', "`x`"]),
        ("order details.", ["order details", 'the "best"', "`x`"]),
        (".order details", ["order details", 'the "best"', "`x`"]),
        ('"x', ["order details", 'the "best"', "`x`"]),
    ],
)
def test_the_quotes_of_sql_do_not_matter(pattern: str, left: list[str]) -> None:
    hiding = Visibility(hide=(pattern,))
    assert [table.name for table in visible_schema(ODD, hiding).schema] == left
    assert hiding.unmatched(ODD) == ([pattern] if len(left) == len(ODD.tables) else [])


def test_a_caller_narrows_and_never_widens() -> None:
    base = Visibility(hide=("Order.margin",))
    assert base.narrowed(EVERYTHING) is base
    assert EVERYTHING.narrowed(base) is base
    wide = base.narrowed(Visibility(allow=("*",))).narrowed(Visibility(allow=("Order", "Order.margin")))
    assert visible_schema(SALES, wide).schema.names() == {"Order": ["id", "label", "part"]}
    twice = Visibility(allow=("order",)).narrowed(wide)
    assert visible_schema(SALES, twice).schema.names() == {"Order": ["id", "label", "part"]}


def test_rights_for_another_database_only_are_plain_json() -> None:
    rights = Visibility(allow=("*",)).narrowed(Visibility(allow=("shop:*",), within=Visibility(hide=("db:email",))))
    kept = rights.of_database("shop", ["shop", "db"])
    assert Visibility.from_json(kept.as_json()) == kept


ORDER = '(SELECT "id", "label", "part" FROM "Order")'


@pytest.mark.parametrize(
    ("sql", "narrowed"),
    [
        ('SELECT * FROM "Order"', f'SELECT * FROM {ORDER} AS "Order"'),
        ("SELECT * FROM ORDER o", f"SELECT * FROM {ORDER} o"),
        ('SELECT "Order".*, x FROM public."Order" WHERE public."Order".id = 1',
         'SELECT "Order".*, x FROM (SELECT "id", "label", "part" FROM "public"."Order") AS "Order" '
         'WHERE "Order".id = 1'),
        ('WITH "Order" AS (SELECT 1 AS id) SELECT id FROM public."Order"',
         'WITH "Order" AS (SELECT 1 AS id) '
         'SELECT id FROM (SELECT "id", "label", "part" FROM "public"."Order") AS "Order"'),
        (
            'SELECT o FROM ONLY "Order" /* "Order" */ o',
            'SELECT o FROM (SELECT "id", "label", "part" FROM ONLY "Order") /* "Order" */ o',
        ),
        ("SELECT 'Order' FROM stock.part", "SELECT 'Order' FROM \"stock\".\"part\" AS part"),
        ("SELECT * FROM part", "table"),
        ("SELECT * FROM shop.public.\"Order\"", "table"),
        ("SELECT * FROM audit.log", "table"),
        ('WITH "Order" AS (SELECT 1) SELECT * FROM "Order"', None),
        ('WITH "Order" AS (SELECT * FROM "Order") SELECT * FROM "Order"',
         f'WITH "Order" AS (SELECT * FROM {ORDER} AS "Order") SELECT * FROM "Order"'),
        ('WITH "LOG" AS (SELECT 1) SELECT * FROM log', "table"),
        ('WITH Log AS (SELECT 1) SELECT * FROM LOG', None),
        ('WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a', "table"),
        ('WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a', "column"),
        ('WITH RECURSIVE a(n) AS (SELECT 1 UNION SELECT n FROM a) SELECT * FROM a', None),
        ('SELECT 1 FROM generate_series(1, 3) g, "Order" o', f'SELECT 1 FROM generate_series(1, 3) g, {ORDER} o'),
    ],
)  # fmt: skip
def test_a_query_is_narrowed_where_it_names_a_table_and_nowhere_else(sql: str, narrowed: str | None) -> None:
    visible = visible_schema(SALES, Visibility(hide=("order.margin", "audit.*")))
    result = show_only(sql, visible.schema, visible.partial, "postgres")
    assert (result.code if isinstance(result, Refusal) else result) == (narrowed or sql)


TWICE = Schema(
    "postgres",
    tuple(Table("dup", (Column("v", "TEXT"), Column("h", "TEXT")), namespace=place) for place in (None, "public")),
    default="sales",
)


@pytest.mark.parametrize(
    ("rights", "shown"),
    [
        (Visibility(hide=("sales.*",)), {"public.dup": ["v", "h"]}),
        (Visibility(hide=("SALES.dup.h",)), {"dup": ["v"], "public.dup": ["v", "h"]}),
        (Visibility(hide=("public.dup",)), {"dup": ["v", "h"]}),
        (Visibility(allow=("public.dup",)), {"public.dup": ["v", "h"]}),
        (Visibility(allow=("sales.dup.v",)), {"dup": ["v"]}),
        (Visibility(hide=("dup.h",)), {"dup": ["v"], "public.dup": ["v"]}),
        (Visibility(hide=("main.*",)), {"dup": ["v", "h"], "public.dup": ["v", "h"]}),
    ],
)
def test_the_first_namespace_has_a_name_too(rights: Visibility, shown: dict[str, list[str]]) -> None:
    assert visible_schema(TWICE, rights).schema.names() == shown
    assert rights.unmatched(TWICE) == []


def test_the_database_of_mariadb_has_a_name_too() -> None:
    shop = Schema("mysql", (Table("emp", (Column("id", "INTEGER"),)),), default="shop")
    for pattern in ("shop.*", "SHOP.emp", "main.emp"):
        assert visible_schema(shop, Visibility(hide=(pattern,))).schema.names() == {}


def test_a_table_behind_its_namespace_is_no_other() -> None:
    visible = visible_schema(TWICE, Visibility(hide=("public.dup",)))
    assert isinstance(show_only("SELECT v FROM public.dup", visible.schema, visible.partial, "postgres"), Refusal)
    narrowed = show_only(
        "WITH dup AS (SELECT 1 AS v) SELECT v FROM sales.dup", visible.schema, visible.partial, "postgres"
    )
    assert narrowed == 'WITH dup AS (SELECT 1 AS v) SELECT v FROM "sales"."dup" AS dup'
