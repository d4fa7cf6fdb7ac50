"""What every agent reads of a reply whose model thinks first: the answer, and nothing of the thinking."""

from collections.abc import Callable

import pytest

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.noise_corrector import Verdict
from route_sql.tools.schema.records import Column, Schema, Table

SQL = "SELECT name FROM pet WHERE weight > 3"
PET = Table("pet", tuple(Column(name, "TEXT") for name in ("id", "name", "weight")))
SCHEMA = Schema("sqlite", (PET, Table("owner", (Column("id", "TEXT"),))))
Read = Callable[[str], object]

AGENTS = [
    pytest.param(lambda reply: generator.parse(reply, "sqlite"), SQL, SQL, id="generator"),
    pytest.param(
        lambda reply: noise_corrector.parse(reply, "sqlite"),
        f"verdict: wrong\n{SQL}",
        Verdict("wrong", SQL),
        id="noise corrector",
    ),
    pytest.param(
        lambda reply: schema_linker.parse(reply, SCHEMA), '{"pet": ["name"]}', {"pet": ["name"]}, id="schema linker"
    ),
    pytest.param(
        lambda reply: continuation_writer.parse(reply, "SELECT name FROM pet WHERE", "sqlite"),
        "weight > 3",
        SQL,
        id="continuation writer",
    ),
]
THOUGHT = """Is it {"owner": ["id"]}? Perhaps
```sql
SELECT id FROM owner
```
or
SELECT 1
verdict: right
no, I think not.
"""


@pytest.mark.parametrize(("read", "answer", "meant"), AGENTS)
@pytest.mark.parametrize(
    "reply",
    [
        "<think>{thought}</think>\n{answer}",
        "<THINK>{thought}</THINK>{answer}",
        "<thinking>{thought}</thinking>\n\n{answer}",
        "<think>{long}</think>\n{answer}",
        "<think></think>{answer}",
        "{thought}</think>\n{answer}",
        "{thought}\nI write <think> around it.\n{thought}</think>\n{answer}",
        "<think>{thought}<think>{thought}</think>{thought}</think>\n{answer}",
        "<think>{thought}</think>\n{answer}\n<think>{thought}</think>",
        "{answer}\n<think>{thought}",
        "<reasoning>{thought}</reasoning>{answer}",
        "[THINK]{thought}[/THINK]{answer}",
        "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>final<|message|>{answer}",
        "<|channel|>analysis<|message|>{thought}<|end|><|channel|>final <|constrain|>json<|message|>{answer}<|return|>",
        "<|channel|>final<|message|>{thought}<|end|><|channel|>final<|message|>{answer}",
    ],
)
def test_the_answer_stands_behind_the_thinking(read: Read, answer: str, meant: object, reply: str) -> None:
    assert read(reply.format(answer=answer, thought=THOUGHT, long=THOUGHT * 300)) == meant


@pytest.mark.parametrize(("read", "answer", "meant"), AGENTS)
@pytest.mark.parametrize(
    "reply",
    [
        "<think>{thought}",
        "<think>{thought}</think>",
        "{thought}</think>",
        "<think>{thought}</think>\n<think>{thought}",
        "<|channel|>analysis<|message|>{thought}",
        "<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_a_reply_that_ends_in_its_thinking_has_no_answer(read: Read, answer: str, meant: object, reply: str) -> None:
    assert not read(reply.format(thought=f"{THOUGHT}{answer}"))


@pytest.mark.parametrize(("read", "answer", "meant"), AGENTS[:3])
def test_a_turn_that_the_model_goes_on_to_make_up_is_not_read(read: Read, answer: str, meant: object) -> None:
    assert read(f"{answer}<|im_end|>\n<|im_start|>user\n{THOUGHT}") == meant
