"""A logger as an audit log: a line that a handler fails to write has no result."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from route_sql.graph.context import Context
from route_sql.graph.extensions.audit import WITHHELD
from route_sql.graph.state import Question
from route_sql.graph.wiring import build_graph
from route_sql.testing import ScriptedModel
from route_sql.tools.database.catalog import Catalog

NAMES = "SELECT name FROM customer"
QUESTION = Question(question="Who are the customers?", database="shop")
SINGLE = Context(strategy="single")
WITHOUT: tuple[object, ...] = ("refused", [], WITHHELD)


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    log = logging.Logger("apart", logging.INFO)
    yield log
    for handler in log.handlers:
        with suppress(OSError):
            handler.close()


async def asked(model: ScriptedModel, catalog: Catalog, log: logging.Logger) -> tuple[Any, Any, Any]:
    model.enqueue("sql", NAMES)
    answer: Any = await build_graph(model, catalog, audit=log).ainvoke(QUESTION, context=SINGLE)
    return answer["status"], answer["rows"], answer["error"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full: only Linux has one")
async def test_a_full_disk_withholds_the_result(model: ScriptedModel, catalog: Catalog, log: logging.Logger) -> None:
    log.addHandler(logging.FileHandler("/dev/full"))
    assert await asked(model, catalog, log) == WITHOUT
    assert await asked(model, catalog, log) == WITHOUT


async def test_one_handler_that_fails_is_enough(
    model: ScriptedModel, catalog: Catalog, log: logging.Logger, tmp_path: Path
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            try:
                raise OSError("no route to the log server")
            except OSError:
                self.handleError(record)

    log.addHandler(logging.FileHandler(tmp_path / "audit.log"))
    assert (await asked(model, catalog, log))[0] == "ok"
    log.addHandler(Broken())
    assert await asked(model, catalog, log) == WITHOUT
    assert (tmp_path / "audit.log").read_text().count(NAMES) == 2


async def test_handlers_that_take_no_line_withhold_it(
    model: ScriptedModel, catalog: Catalog, log: logging.Logger
) -> None:
    log.addHandler(logging.NullHandler())
    errors = logging.StreamHandler()
    errors.setLevel(logging.ERROR)
    log.addHandler(errors)
    assert await asked(model, catalog, log) == WITHOUT


async def test_a_handler_reports_its_other_errors_as_before(
    model: ScriptedModel, catalog: Catalog, log: logging.Logger, tmp_path: Path
) -> None:
    reported: list[str] = []

    class Reporting(logging.FileHandler):
        def handleError(self, record: logging.LogRecord) -> None:
            reported.append(str(record.msg))

    log.addHandler(Reporting(tmp_path / "audit.log"))
    assert (await asked(model, catalog, log))[0] == "ok"
    log.info("%d", "no number")
    assert reported == ["%d"]
