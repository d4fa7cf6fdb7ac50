"""Checkpoints in fewer bytes: the size of a question of many rows, and threads written without compression."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from route_sql import Catalog, CompressedSerializer, Context, build_graph
from route_sql.testing import ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "1"}}
QUESTION: Any = {"question": "Which numbers are there?", "database": "numbers"}
MANY = (
    "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 500) "
    "SELECT id, 'remark ' || id AS remark FROM n"
)
QUESTIONS = 5


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    """A catalog of one small database."""
    async with aiosqlite.connect(tmp_path / "numbers.sqlite") as connection:
        await connection.execute("CREATE TABLE number (id INTEGER)")
    async with Catalog.from_url(tmp_path / "numbers.sqlite")[0] as opened:
        yield opened


def a_model() -> ScriptedModel:
    return ScriptedModel(history=[], otherwise=lambda task, prompt: MANY)


async def stored_bytes(saver: AsyncSqliteSaver) -> int:
    """Bytes of all values that the checkpointer stored."""
    lengths = (
        "SELECT SUM(LENGTH(checkpoint) + LENGTH(metadata)) FROM checkpoints",
        "SELECT SUM(LENGTH(value)) FROM writes",
    )
    found = [await (await saver.conn.execute(sql)).fetchone() for sql in lengths]
    return sum(row[0] for row in found if row)


@pytest.mark.parametrize("strategy", ["single", "adaptive"])
async def test_a_question_stores_little_more_than_its_answer(catalog: Catalog, tmp_path: Path, strategy: Any) -> None:
    answer: Any = None
    async with aiosqlite.connect(tmp_path / "kept.db") as connection:
        saver = AsyncSqliteSaver(connection, serde=CompressedSerializer())
        graph: Any = build_graph(a_model(), catalog, checkpointer=saver)
        for number in range(QUESTIONS):
            asked = {**QUESTION, "question": f"Which numbers are there? ({number})"}
            answer = await graph.ainvoke(asked, THREAD, context=Context(strategy=strategy))
        stored = await stored_bytes(saver) / QUESTIONS
    assert len(answer["rows"]) == 500
    assert stored <= 1.5 * len(json.dumps(answer))


async def test_a_thread_without_compression_is_continued_with_it(catalog: Catalog, tmp_path: Path) -> None:
    async with aiosqlite.connect(tmp_path / "kept.db") as connection:
        graph: Any = build_graph(a_model(), catalog, checkpointer=AsyncSqliteSaver(connection))
        await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single", approve=True))
        graph = build_graph(a_model(), catalog, checkpointer=AsyncSqliteSaver(connection, serde=CompressedSerializer()))
        answer = await graph.ainvoke(Command(resume=True), THREAD)
        assert len(answer["rows"]) == 500
        assert [each.next async for each in graph.aget_state_history(THREAD)][-1] == ("__start__",)


class Xor(CipherProtocol):
    """A cipher for tests."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """The bytes, changed."""
        return "xor", bytes(byte ^ 7 for byte in plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """The bytes, changed back."""
        assert ciphername == "xor"
        return bytes(byte ^ 7 for byte in ciphertext)


async def test_it_may_be_encrypted_too(catalog: Catalog) -> None:
    serde = EncryptedSerializer(Xor(), CompressedSerializer())
    graph: Any = build_graph(a_model(), catalog, checkpointer=InMemorySaver(serde=serde))
    await graph.ainvoke(QUESTION, THREAD, context=Context(strategy="single"))
    assert len((await graph.aget_state(THREAD)).values["rows"]) == 500


@pytest.mark.parametrize(
    "value", [None, b"", b"x" * 500, bytearray(b"y" * 500), {"a": "z" * 500}, "é" * 500, [1.5, None]]
)
def test_values_come_back_as_they_were(value: Any) -> None:
    serde = CompressedSerializer()
    back = serde.loads_typed(serde.dumps_typed(value))
    assert back == value and type(back) is type(value)
