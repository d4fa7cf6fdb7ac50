"""From a database to an answer in three lines: the database, the embedded model and the graph, opened together."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver

from route_sql.calibration_file import read_calibration_file
from route_sql.databases import open_catalog
from route_sql.graph.asking import answer_in, resumed, run_with_story
from route_sql.graph.context import Context
from route_sql.graph.events import Tell, no_story, story
from route_sql.graph.grounding import askable_schema
from route_sql.graph.state import Answer, Question
from route_sql.graph.threads.memory import turns_in
from route_sql.graph.wiring import Graph, build_graph
from route_sql.models import open_model
from route_sql.serving.store.model_store import FetchProgress
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.errors import InvalidInput
from route_sql.tools.loop_thread import QUESTIONS
from route_sql.turns import Turns

Decide = Callable[[dict[str, Any]], Any]
"""From an interrupt's value, such as `{"approve": "SELECT ...", "database": "shop"}`, to a person's decision."""


def _no_progress(done: int, total: int, source: str) -> None:
    """No progress."""


@dataclass
class OpenedDatabase:
    """A database, a model and the graph on both. Use it as a context manager, async or not.

    Questions share one thread, so that a follow-up such as `And by month?` is understood. They are answered one after
    the other, from whichever threads and event loops they come; `graph` answers several at once, each on a thread of
    its own.
    """

    db: str
    model: str | None
    context: Context
    progress: FetchProgress = _no_progress
    """Called while the weights are fetched."""
    tell: Tell = no_story
    """Called with each event of the story, from another thread."""
    settings: Settings = field(default_factory=Settings)
    calibration: Path | None = None
    """The file of a calibration in place of the model's own."""
    name: str = ""
    """The database's name in the catalog."""
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _opened: tuple[Catalog, Graph] | None = None
    # The turns that a follow-up may refer to. Each question has a thread of its own, which is deleted after it.
    _memory: dict[str, Any] = field(default_factory=dict)
    _saver: InMemorySaver = field(default_factory=InMemorySaver)
    # On a thread, a decision on one question must not meet the query of another.
    _turns: Turns = field(default_factory=Turns)

    @property
    def catalog(self) -> Catalog:
        """The catalog that holds the database."""
        return self._parts()[0]

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self._parts()[1]

    def ask(self, question: str, evidence: str = "", *, decide: Decide | None = None) -> Answer:
        """Ask, and wait for the answer.

        Args:
            question: The question, in words.
            evidence: Facts that it needs besides the schema.
            decide: A person's decision where the run waits for one, from the interrupt's value to the value that the
                run is resumed with. Needed with `Context(approve=True)` and `Context(clarify=True)`. It can't ask
                the same `OpenedDatabase`, whose turn it has.

        Raises:
            RouteError: the question can't be asked; a query that fails is in the answer.
        """
        with self._turns.place() as place:
            place.result()
            with self._thread() as (thread, memory):
                step: Any = {**Question(question=question, database=self.name, evidence=evidence), **memory}
                while waiting := (state := QUESTIONS.run(self._step(step, thread))).get("__interrupt__"):
                    step = resumed(waiting[0], _decision(decide, waiting[0].value))
                memory.update(turns_in(state))
        return answer_in(state)

    async def aask(self, question: str, evidence: str = "", *, decide: Decide | None = None) -> Answer:
        """Like `ask`, for async callers; `decide` runs in a thread."""
        with self._turns.place(asyncio.get_running_loop()) as place:
            await asyncio.wrap_future(place)
            with self._thread() as (thread, memory):
                step: Any = {**Question(question=question, database=self.name, evidence=evidence), **memory}
                while waiting := (state := await self._step(step, thread)).get("__interrupt__"):
                    step = resumed(waiting[0], await asyncio.to_thread(_decision, decide, waiting[0].value))
                memory.update(turns_in(state))
        return answer_in(state)

    def new_thread(self) -> None:
        """Forget the questions so far, and the one that is being answered as soon as it ends."""
        self._memory = {}

    def start(self) -> Self:
        """Open the database, then start the model, where a `with` block does not fit.

        Raises:
            RouteError: the database can't be asked, or the model can't run here.
        """
        return QUESTIONS.run(self._open())

    def stop(self) -> None:
        """Stop the model and close the database."""
        QUESTIONS.run(self._close())

    async def _open(self) -> Self:
        if self._opened is not None:
            raise InvalidInput("the database is open already; call open_default again for another one")
        async with AsyncExitStack() as stack:
            calibration = read_calibration_file(self.calibration or self.settings.calibration)
            catalog, self.name = await stack.enter_async_context(open_catalog(self.db, self.settings))
            # Check the database before a model is fetched or started.
            await askable_schema(catalog, self.name)
            named = self.model or self.settings.model
            async with story(self.tell, "", "loading the model"):
                chat = await stack.enter_async_context(open_model(named, self.settings, self.progress))
            self._opened = catalog, build_graph(chat, catalog, calibration=calibration, checkpointer=self._saver)
            self._stack = stack.pop_all()
        return self

    async def _close(self) -> None:
        self._opened = None
        await self._stack.aclose()

    @contextmanager
    def _thread(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """A thread for one question, and the memory that it reads and changes."""
        thread = uuid4().hex
        try:
            yield thread, self._memory
        finally:
            self._saver.delete_thread(thread)

    async def _step(self, step: Any, thread: str) -> Any:
        return await run_with_story(self.graph, step, self.context, self.tell, thread=thread)

    def _parts(self) -> tuple[Catalog, Graph]:
        if self._opened is None:
            raise InvalidInput("the database is not open: use `with open_default(...) as database`, or `start`")
        return self._opened

    def __enter__(self) -> Self:
        """Open."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Open."""
        return await self._open()

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self._close()


def _decision(decide: Decide | None, value: dict[str, Any]) -> Any:
    if decide is None:
        raise InvalidInput("the run waits for a person: give `decide`, or use the graph with a checkpointer")
    return decide(value)


def open_default(
    db: str | os.PathLike[str], *, model: str | os.PathLike[str] | None = None, context: Context | None = None
) -> OpenedDatabase:
    """A database with the embedded model, ready to be asked in a `with` block.

    The weights are fetched when they are needed for the first time.

    Args:
        db: A SQLite or DuckDB file, a URL, or a name in `databases.toml`.
        model: `default`, `base`, `base-1.5b`, `tiny`, a GGUF file, a model folder, or the URL of a server; None for the
            one of the environment (ROUTE_SQL_MODEL), else `default`.
        context: Choices of every question.

    Raises:
        InvalidInput: the database or the model is not named by a text or a path, or a setting of the environment
            (ROUTE_SQL_MAX_TOKENS) is wrong.
    """
    if (opened := _named(db)) is None:
        raise InvalidInput(f"the database must be a file, a URL or a name, not {db!r:.100}")
    named = _named(model)
    if named is None and model is not None:
        raise InvalidInput(
            f"the model must be a name, a file or the URL of a server, not {model!r:.100}: build_graph(model, catalog) "
            "takes any LangChain chat model"
        )
    return OpenedDatabase(opened, named, context or Context())


def _named(given: object) -> str | None:
    """The text of a name or a path; None for anything else, a path in bytes included."""
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    return text if isinstance(text, str) else None
