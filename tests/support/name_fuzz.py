"""Random statements that try to reach hidden names, and a database whose hidden values are unique markers.

The statements use the guard's whole grammar: stars, aliases, natural joins, common table expressions with the names of
tables, functions without brackets, casts to row types, strings after IN. Most are wrong SQL; a part of them runs. A
marker in anything that comes back is a leak.
"""

from collections.abc import Iterator
from random import Random

from route_sql.tools.schema.rights.visibility import Visibility

MARKERS = ("mk7tok", "mk7mail", "739182645", "mk7heir", "mk7nick")
"""The hidden cells contain one of these; no visible cell, name or literal does."""

HIDE = Visibility(hide=("secret", "customer.email", "customer.budget", "orders.note"))

SCRIPT = (
    "CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(20), email VARCHAR(40), budget INTEGER)",
    "INSERT INTO customer VALUES (1, 'Ann', 'mk7mail1', 739182645), (2, 'Bob', 'mk7mail2', 739182645)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, amount INTEGER, note VARCHAR(20))",
    "INSERT INTO orders VALUES (1, 1, 10, 'mk7nick1'), (2, 2, 20, 'mk7nick2'), (3, 2, 30, 'mk7nick3')",
    "CREATE TABLE secret (id INTEGER, token VARCHAR(20))",
    "INSERT INTO secret VALUES (1, 'mk7tok1'), (2, 'mk7tok2')",
)
OWN_SCRIPT = {
    "postgres": (
        "CREATE TYPE address AS (city TEXT, zip TEXT)",
        "CREATE TABLE person (id INTEGER, home address)",
        "INSERT INTO person VALUES (1, ROW('Bern', '3000'))",
        "CREATE TABLE heir (extra TEXT) INHERITS (secret)",
        "INSERT INTO heir VALUES (3, 'mk7heir', 'x')",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC",
    ),
    "duckdb": (
        "CREATE TABLE person (id INTEGER, home STRUCT(city VARCHAR, zip VARCHAR))",
        "INSERT INTO person VALUES (1, {'city': 'Bern', 'zip': '3000'})",
    ),
}
TABLES = ("customer", "orders", "secret", "person", "heir")
COLUMNS = {
    "customer": ("id", "name"),
    "orders": ("id", "customer_id", "amount"),
    "person": ("id", "home"),
}
ODD_COLUMNS = ("email", "budget", "note", "token", "city", "rowid", "nope", "ctid", "tableoid", "secret")
FUNCTIONS = ("coalesce", "nullif")
BARE_FUNCTIONS = ("pg_sleep", "ts_stat", "row_to_json", "to_json", "upper", "length", "text", "query_to_xml", "user")
SQL_AS_TEXT = "'select to_tsvector(''simple'', token) from secret'"
SQL_FUNCTIONS = ("ts_stat", "query_to_xml", "cursor_to_xml")
"""PostgreSQL's functions that run SQL which they get as text; `(x).f` calls `f(x)`."""
TYPES = {
    "sqlite": ("TEXT", "INTEGER", "UNSIGNED BIG INT", "secret"),
    "mysql": ("CHAR", "SIGNED", "JSON", "secret"),
    "postgres": ("text", "integer", "secret", "customer", "regclass", "_regclass", '"pg_catalog"."regrole"', "json"),
    "duckdb": ("VARCHAR", "INTEGER", "secret", "JSON", "STRUCT(id INTEGER)", "regclass"),
}
QUOTES = {"sqlite": ('"{}"', "[{}]", "`{}`"), "mysql": ("`{}`",), "postgres": ('"{}"',), "duckdb": ('"{}"',)}
SYSTEM = {
    "sqlite": ("sqlite_master", "pragma_table_info('secret')", "dbstat"),
    "mysql": ("information_schema.columns", "mysql.user"),
    "postgres": ("pg_catalog.pg_stats", "information_schema.columns", "pg_class"),
    "duckdb": ("duckdb_tables()", "information_schema.columns", "pg_catalog.pg_class"),
}
NAMESPACE = {"sqlite": "main", "mysql": "", "postgres": "public", "duckdb": "main"}
ROW_SOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "sqlite": (("json_each('[1,2]')", "value"),),
    "mysql": (("JSON_TABLE('[1,2]', '$[*]' COLUMNS (id INT PATH '$'))", "id"),),
    "postgres": (("generate_series(1, 2)", ""), ("unnest(ARRAY[1, 2])", ""), ("json_each('{\"a\": 1}')", "key")),
    "duckdb": (("generate_series(1, 2)", "generate_series"), ("range(2)", "range")),
}
"""Table functions and the column that each has; empty where it is named by the alias."""

Source = tuple[str, tuple[str, ...]]
"""An alias and the columns that may be taken from it."""


class Statements:
    """An endless stream of statements of one dialect; the same seed gives the same ones.

    Args:
        dialect: sqlglot's name of the dialect.
        seed: The seed of all choices.
        odd: How often a part is one that should not work, such as a hidden column.
    """

    def __init__(self, dialect: str, seed: int, odd: float = 0.05) -> None:
        self.dialect = dialect
        self.random = Random(seed)
        self.odd = odd

    def __iter__(self) -> Iterator[str]:
        while True:
            yield self.statement()

    def statement(self) -> str:
        chance = self.random.random()
        if chance < 0.25:
            return f"{self.common_table()} {self.query(2)}"
        if chance < 0.35:
            operator = self.pick("UNION", "UNION ALL", "EXCEPT", "INTERSECT")
            return f"{self.one_column(1)} {operator} {self.one_column(1)}"
        return self.query(self.random.choice((1, 1, 1, 2, 3)))

    def common_table(self) -> str:
        """A common table expression that often has the name of a table, and often selects from itself."""
        name = self.name("a", "b", "customer", "secret")
        first = self.one_column(1)
        again = f"SELECT * FROM {name}"
        body = self.pick(first, f"{first} UNION {again}", again, f"{first} UNION ALL {self.one_column(1)}")
        return f"WITH {self.pick('', 'RECURSIVE ')}{name}{self.pick('', '(id)')} AS ({body})"

    def one_column(self, depth: int) -> str:
        text, sources = self.sources(depth)
        return f"SELECT {self.expression(sources, depth)} AS id FROM {text}"

    def query(self, depth: int) -> str:
        text, sources = self.sources(depth)
        items = ", ".join(self.item(sources, depth) for _ in range(self.random.randint(1, 3)))
        where = f" WHERE {self.condition(sources, depth)}" if self.is_rare(0.3) else ""
        order = f" ORDER BY {self.expression(sources, depth - 1)}" if self.is_rare(0.15) else ""
        return f"SELECT {self.pick('', '', 'DISTINCT ')}{items} FROM {text}{where}{order}"

    def sources(self, depth: int) -> tuple[str, list[Source]]:
        text, (alias, columns) = self.source(depth, "a")
        if self.is_rare(0.6):
            return text, [(alias, columns)]
        other, second = self.source(depth, "b")
        join = self.pick(" NATURAL JOIN ", " CROSS JOIN ", " JOIN ", ", ", " LEFT JOIN ")
        on = f" ON {self.column([(alias, columns)])} = {self.column([second])}" if join.endswith("T JOIN ") else ""
        on = on or (f" ON {self.column([(alias, columns)])} = {self.column([second])}" if join == " JOIN " else "")
        return f"{text}{join}{other}{on}", [(alias, columns), second]

    def source(self, depth: int, alias: str) -> tuple[str, Source]:
        if self.is_rare(self.odd):
            odd = self.pick(*SYSTEM[self.dialect], self.name("secret", "heir", "a"), "main.secret", "public.secret")
            return f"{odd} AS {alias}", (alias, ("id", "token"))
        if self.is_rare(0.15) and depth > 1:
            return f"({self.one_column(depth - 1)}) AS {alias}", (alias, ("id",))
        if self.is_rare(0.1):
            text, column = self.random.choice(ROW_SOURCES[self.dialect])
            return f"{text} AS {alias}", (alias, (column or alias,))
        table = self.random.choice(("customer", "orders", "person") if self.dialect in OWN_SCRIPT else TABLES[:2])
        space = NAMESPACE[self.dialect]
        qualified = f"{space}.{self.name(table)}" if space and self.is_rare(0.1) else self.name(table)
        only = "ONLY " if self.dialect == "postgres" and self.is_rare(0.1) else ""
        is_plain = self.is_rare(0.3)
        return (
            (f"{only}{qualified}", (table, COLUMNS[table]))
            if is_plain
            else (
                f"{only}{qualified} AS {alias}",
                (alias, COLUMNS[table]),
            )
        )

    def item(self, sources: list[Source], depth: int) -> str:
        if self.is_rare(0.2):
            return self.pick("*", f"{self.alias(sources)}.*", "COUNT(*) OVER ()")
        if self.is_rare(self.odd) and self.dialect == "postgres":
            return f"({self.expression(sources, depth - 1)}).*"
        return self.expression(sources, depth)

    def expression(self, sources: list[Source], depth: int) -> str:
        if depth <= 0 or self.is_rare(0.4):
            return self.column(sources)
        if self.is_rare(2 * self.odd):
            return self.odd_expression(sources, depth)
        inner = self.expression(sources, depth - 1)
        return self.pick(
            "1",
            "'x'",
            f"{self.pick(*FUNCTIONS)}({inner}, NULL)",
            f"CASE WHEN {self.condition(sources, depth - 1)} THEN {inner} END",
            f"({self.one_column(depth - 1)} LIMIT 1)",
            f"CAST({inner} AS {TYPES[self.dialect][0]})",
        )

    def odd_expression(self, sources: list[Source], depth: int) -> str:
        """An expression of the kinds that reached hidden values before."""
        inner = self.expression(sources, depth - 1)
        if self.dialect == "postgres" and self.is_rare(0.2):
            return f"({SQL_AS_TEXT}::text).{self.name(*SQL_FUNCTIONS)}"
        return self.pick(
            f"({inner}).{self.name(*BARE_FUNCTIONS, *ODD_COLUMNS)}",
            f"({self.alias(sources)}).{self.name(*ODD_COLUMNS)}",
            f"{self.alias(sources)}.{self.name(*BARE_FUNCTIONS, *ODD_COLUMNS)}",
            f"{self.pick('row_to_json', 'to_json', 'length', 'max', 'count')}({self.alias(sources)})",
            self.name(self.alias(sources), "secret", "customer"),
            f"CAST({inner} AS {self.pick(*TYPES[self.dialect])})",
            f"CAST(NULL AS {self.pick(*TYPES[self.dialect])})",
            f"(SELECT {self.name(*ODD_COLUMNS)} FROM {self.name('customer', 'orders')} LIMIT 1)",
            self.pick("current_user", "user", "current_schema", "session_user", "current_role"),
        )

    def condition(self, sources: list[Source], depth: int) -> str:
        value = self.expression(sources, depth - 1)
        if self.is_rare(2 * self.odd):
            place = self.pick(self.quoted("secret"), "'secret'", "secret", "main.secret")
            return f"{self.pick(value, '(1, 2)', f'({value}, 1)')} {self.pick('IN', 'NOT IN')} {place}"
        return self.pick(f"{value} IS NOT NULL", f"{value} = {value}", f"EXISTS ({self.query(max(depth - 1, 0))})")

    def column(self, sources: list[Source]) -> str:
        alias, columns = self.random.choice(sources)
        column = self.name(*ODD_COLUMNS) if self.is_rare(self.odd) else self.name(*columns)
        return column if self.is_rare(0.3) and len(sources) == 1 else f"{alias}.{column}"

    def alias(self, sources: list[Source]) -> str:
        return self.random.choice(sources)[0]

    def name(self, *names: str) -> str:
        name = self.random.choice(names)
        return self.quoted(name) if self.is_rare(0.15) else name

    def quoted(self, name: str) -> str:
        return self.pick(*QUOTES[self.dialect]).format(name)

    def is_rare(self, chance: float) -> bool:
        return self.random.random() < chance

    def pick(self, *texts: str) -> str:
        return self.random.choice(texts)


def leaked(text: str) -> str | None:
    """The first marker in a text."""
    return next((marker for marker in MARKERS if marker in text), None)
