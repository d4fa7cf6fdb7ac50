"""A model of our training is spoken to in its own words: those it comes with, or those that the caller names."""

import pytest

from route_sql.agents.brief import Wording
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer WHERE city = 'Bergen'"
TUNED, INSTRUCT = "Task: text to SQL", "Task: write one"


class TunedModel(ScriptedModel):
    """As the embedded server's chat models are: it says how it wants to be spoken to."""

    wording: Wording = "tuned"


async def asked(model: ScriptedModel, catalog: Catalog, wording: Wording | None = None) -> str:
    """The end of what the model was asked."""
    model.enqueue("sql", NAMES)
    question = Question(question="Who lives in Bergen?", database="shop")
    await build_graph(model, catalog, wording=wording).ainvoke(question, context=Context(strategy="single"))
    return str(model.history[-1][1][-1].content)


@pytest.mark.parametrize(
    ("model", "given", "wanted"),
    [
        (ScriptedModel(history=[]), None, INSTRUCT),
        (ScriptedModel(history=[]), "tuned", TUNED),
        (TunedModel(history=[]), None, TUNED),
        (TunedModel(history=[]), "instruct", INSTRUCT),
    ],
)
async def test_the_callers_word_is_above_the_models(
    model: ScriptedModel, given: Wording | None, wanted: str, catalog: Catalog
) -> None:
    assert wanted in await asked(model, catalog, given)
