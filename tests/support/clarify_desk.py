"""A thread in which a person is asked back, about a database with words of several meanings."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from route_sql.graph.context import Context
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

THREAD: Any = {"configurable": {"thread_id": "1"}}
TRADE = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE supplier (id INTEGER PRIMARY KEY, name TEXT, city TEXT, list_price REAL, sale_price REAL);
CREATE TABLE sale (
    id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer(id), supplier_id INTEGER REFERENCES supplier(id),
    day TEXT
);
CREATE TABLE town (id INTEGER PRIMARY KEY, town TEXT, state TEXT, people INTEGER);
CREATE TABLE doctor (id INTEGER PRIMARY KEY, full_name TEXT, kind TEXT);
CREATE VIEW nearby AS SELECT name, city FROM customer WHERE city = 'Oslo';
CREATE TABLE pilot (id INTEGER PRIMARY KEY, full_name TEXT);
INSERT INTO pilot VALUES (1, 'Eva Berg'), (2, 'Max Klein');
CREATE TABLE airport (id INTEGER PRIMARY KEY, title TEXT, place TEXT);
INSERT INTO customer VALUES (1, 'Ida', 'Bergen'), (2, 'Ole', 'Oslo'), (3, 'Una', 'Bergen');
INSERT INTO supplier VALUES (1, 'Norlys', 'Bergen', 2.0, 1.0), (2, 'Vest', 'Molde', 3.0, 2.0);
INSERT INTO sale VALUES (1, 1, 1, '2024-01-05'), (2, 1, 2, '2024-02-01'), (3, 3, 1, '2024-02-03');
INSERT INTO town VALUES (1, 'Springfield', 'Illinois', 115000), (2, 'Springfield', 'Missouri', 169000),
    (3, 'Riverside', 'Iowa', 1000), (4, 'Salem', 'Oregon', 175000);
INSERT INTO doctor VALUES (1, 'John Smith', 'surgeon'), (2, 'Anna Smith', 'dentist'), (3, 'Eva Berg', 'dentist');
INSERT INTO airport VALUES (1, 'Alton', 'Alton'), (2, 'Kimball', 'Kimball');
"""


class Desk:
    """A thread in which a person is asked back."""

    def __init__(self, model: ScriptedModel, catalog: Catalog, **choices: Any) -> None:
        self.graph: Any = build_graph(model, catalog, checkpointer=InMemorySaver())
        self.context = Context(**{"strategy": "single", "clarify": True, **choices})

    async def ask(self, question: str, evidence: str = "") -> Any:
        asked = {"question": question or "?", "database": "trade", "evidence": evidence}
        return await self.graph.ainvoke(asked, THREAD, context=self.context, version="v2")

    async def answer(self, said: Any) -> Any:
        return await self.graph.ainvoke(Command(resume=said), THREAD, version="v2")


def prompt(model: ScriptedModel) -> str:
    return str(model.history[-1][1][-1].content)
