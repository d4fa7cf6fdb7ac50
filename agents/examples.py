"""Our own worked examples, a few turns on one small schema, for models that were not tuned.

They come first in every prompt and are the same for every agent, question and database, so that a server computes
them once.
"""

from collections.abc import Callable
from functools import cache

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import Brief, Wording
from route_sql.agents.noise_corrector import Verdict
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table

_PET = Table(
    name="pet",
    columns=(
        Column("id", "INTEGER"),
        Column("name", "TEXT", samples=("Rex", "Mia")),
        Column("kind", "TEXT", samples=("dog", "cat")),
        Column("owner_id", "INTEGER"),
        Column("weight", "REAL", samples=("4.5",)),
    ),
    primary_key=("id",),
    foreign_keys=(ForeignKey(("owner_id",), "owner", ("id",)),),
)
_OWNER = Table(
    name="owner",
    columns=(
        Column("id", "INTEGER"),
        Column("name", "TEXT", samples=("Ada Lind",)),
        Column("city", "TEXT", samples=("Oslo",)),
    ),
    primary_key=("id",),
)
_VISIT = Table(
    name="visit",
    columns=(
        Column("pet_id", "INTEGER"),
        Column("day", "TEXT", samples=("2024-05-01",)),
        Column("cost", "REAL", samples=("80.0",)),
    ),
    foreign_keys=(ForeignKey(("pet_id",), "pet", ("id",)),),
)


_Briefed = Callable[[str], Brief]
_WorkedTurn = tuple[list[BaseMessage], str]
"""Messages and the reply to them."""


@cache
def worked_examples(wording: Wording, dialect: str) -> tuple[BaseMessage, ...]:
    """The turns for a wording; none for `tuned`."""
    if wording == "tuned":
        return ()
    schema = Schema(dialect, (_PET, _OWNER, _VISIT))

    def brief(question: str) -> Brief:
        return Brief(question, schema)

    turns = [*_first_look(brief), *_second_look(brief), *_joins(brief)]
    return tuple(message for asked, reply in turns for message in (_question(asked), AIMessage(reply)))


def _first_look(brief: _Briefed) -> list[_WorkedTurn]:
    """Questions that one table or a subquery answers, and a link."""
    return [
        (
            generator.messages(brief("What are the names and weights of the dogs, heaviest first?")),
            "SELECT name, weight FROM pet WHERE kind = 'dog' ORDER BY weight DESC",
        ),
        (
            schema_linker.messages(brief("In which cities do owners of cats live?")),
            schema_linker.write({"pet": ["kind", "owner_id"], "owner": ["id", "city"]}),
        ),
        (
            generator.messages(brief("Which owners have no pet?")),
            "SELECT name FROM owner WHERE id NOT IN (SELECT owner_id FROM pet)",
        ),
    ]


def _second_look(brief: _Briefed) -> list[_WorkedTurn]:
    """A query that fails, one that is right, and one that must be finished."""
    return [
        (
            noise_corrector.messages(
                brief("Which kinds of pets live in Oslo?"),
                "SELECT kind FROM pet WHERE city = 'Oslo'",
                "no such column: city. city is a column of owner.",
                failed=True,
            ),
            noise_corrector.write(
                Verdict(
                    "wrong",
                    "SELECT DISTINCT pet.kind FROM pet JOIN owner ON pet.owner_id = owner.id WHERE owner.city = 'Oslo'",
                )
            ),
        ),
        (
            noise_corrector.messages(
                brief("What did the visits in May 2024 cost on average?"),
                "SELECT AVG(cost) FROM visit WHERE day LIKE '2024-05-%'",
                "1 row:\nAVG(cost)\n72.5",
                failed=False,
            ),
            noise_corrector.write(Verdict("right")),
        ),
        (
            continuation_writer.messages(brief("Which pet is the lightest?"), "SELECT name FROM pet"),
            "SELECT name FROM pet ORDER BY weight LIMIT 1",
        ),
    ]


def _joins(brief: _Briefed) -> list[_WorkedTurn]:
    """Questions that need several tables."""
    return [
        (
            generator.messages(brief("What is the name of the owner with the most pets?")),
            "SELECT owner.name FROM owner JOIN pet ON owner.id = pet.owner_id "
            "GROUP BY owner.id ORDER BY COUNT(*) DESC LIMIT 1",
        ),
        (
            generator.messages(brief("For each city, how much did the visits of its pets cost in all?")),
            "SELECT owner.city, SUM(visit.cost) FROM visit JOIN pet ON visit.pet_id = pet.id "
            "JOIN owner ON pet.owner_id = owner.id GROUP BY owner.city",
        ),
    ]


def _question(messages: list[BaseMessage]) -> HumanMessage:
    """The user's turn of a conversation."""
    return HumanMessage(messages[-1].content)
