"""What the catalog says of a database reaches the agents, and what it must warn of reaches the reader."""

from pathlib import Path

from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.sqlite.database import SQLiteDatabase

QUESTION = Question(question="Who are the regulars?", database="shop")
SINGLE = Context(strategy="single")
GLOSSARY = "'regulars' bought more than once"


class WritableShop(SQLiteDatabase):
    async def warnings(self) -> tuple[str, ...]:
        return ("The role may write.",)


async def test_the_glossary_of_a_database_is_in_the_prompt(shop: Path, model: ScriptedModel) -> None:
    (shop.parent / "shop.md").write_text(GLOSSARY)
    toml = shop.parent / "databases.toml"
    toml.write_text('[databases.shop]\nurl = "shop.sqlite"\nnotes = "shop.md"\n')
    model.enqueue("sql", "SELECT name FROM customer")
    async with Catalog.from_toml(toml, {}) as catalog:
        answer = await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    _, messages = model.history[0]
    assert GLOSSARY in str(messages[-1].content)
    assert GLOSSARY not in str(messages[0].content)
    assert answer["notes"] == []


async def test_a_warning_of_the_database_is_in_the_answer(shop: Path, model: ScriptedModel) -> None:
    model.enqueue("sql", "SELECT name FROM customer")
    async with Catalog({"shop": WritableShop("shop", shop)}) as catalog:
        answer = await build_graph(model, catalog).ainvoke(QUESTION, context=SINGLE)
    assert answer["notes"] == ["The role may write."]
