"""`route-sql doctor`: packages, model, server and database, and a remedy for each problem."""

import asyncio
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from langchain_core.messages import AIMessage, HumanMessage
from rich.text import Text

from route_sql.calibration_file import read_calibration_file
from route_sql.commands.options import Model
from route_sql.databases import db_without_password, open_catalog
from route_sql.models import chat_at, is_url, urls_of
from route_sql.printing import console
from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.client.failures import without_password
from route_sql.serving.client.served_model import ServedModel
from route_sql.serving.embedded.machine import check_runtime
from route_sql.serving.profile import PromptWording
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.tools.database.roles import RoleReport, role_report
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.terminal import escaped
from route_sql.tools.text import clean

CheckResult = tuple[str, str | None]
"""A finding and its remedy: None if all is well, empty if the next remedy is for this finding too."""

SAME_MODEL = "Serve one model on all of them under one name (--served-model-name), or set ROUTE_SQL_SERVER_MODEL."


def doctor(
    model: Model = None,
    db: Annotated[str | None, typer.Option("--db", help="Also check this database.")] = None,
) -> None:
    """Check packages, model, server and database, and print a remedy for each problem; exit code 1 if there is one."""
    settings = Settings()
    findings = [
        *_packages(),
        *_model(model or settings.model, settings),
        *_calibration(settings),
        *(_database(db, settings) if db else ()),
    ]
    out = console(soft_wrap=True)
    for what, remedy in findings:
        style = "green" if remedy is None else "red"
        out.print(Text("ok   " if remedy is None else "miss ", style=style), escaped(what))
        if remedy:
            out.print(*(f"     {line.strip()}" for line in remedy.split("\n")), sep="\n")
    if any(remedy is not None for _, remedy in findings):
        raise typer.Exit(1)


def _packages() -> Iterator[CheckResult]:
    yield f"Python {platform.python_version()} on {platform.system()} {platform.machine()}", None
    for name in ("route-sql", "langgraph", "langchain-core", "huggingface_hub", "sqlglot"):
        try:
            yield f"{name} {version(name)}", None
        except PackageNotFoundError:
            yield name, f"Install it: pip install {name}"


def _model(model: str, settings: Settings) -> Iterator[CheckResult]:
    if is_url(model):
        yield from asyncio.run(_servers(urls_of(model), settings))
        return
    try:
        check_runtime()
        yield "the embedded server can run here", None
    except RouteError as error:
        yield "the embedded server", str(error)
    store = ModelStore(settings.cache)
    try:
        if store.cached(model):
            yield f"the model {model} is in {store.cache_dir}", None
        else:
            yield (
                f"the model {model} is not in {store.cache_dir}",
                "The first question fetches it, or: route-sql serve",
            )
    except RouteError as error:
        yield f"the model {model}", str(error)


def _calibration(settings: Settings) -> Iterator[CheckResult]:
    """The finding of a calibration that the environment names; none without one."""
    if settings.calibration is None:
        return
    try:
        numbers = read_calibration_file(settings.calibration)
    except InvalidInput as error:
        yield "the calibration of ROUTE_SQL_CALIBRATION", str(error)
    else:
        made_from = clean(numbers.made_from, 300) if numbers else ""
        yield f"the calibration {settings.calibration}, made from: {made_from or 'not said'}", None


async def _servers(urls: Sequence[str], settings: Settings) -> list[CheckResult]:
    """The findings of each server, and whether all of them serve the same model."""
    found = [await _server(url, settings) for url in urls]
    names = {name for _, name in found if name is not None}
    differ: CheckResult = (f"the servers name different models: {clean(', '.join(sorted(names)), 300)}", SAME_MODEL)
    is_wrong = len(names) > 1 and settings.server_model is None
    return [*(finding for findings, _ in found for finding in findings), *([differ] if is_wrong else [])]


async def _server(url: str, settings: Settings) -> tuple[list[CheckResult], str | None]:
    """The findings of one server, and the name of its model if it says one."""
    chat = chat_at(url, settings)
    shown_url = without_password(url)
    try:
        message = await chat.ainvoke([HumanMessage("SELECT")], max_tokens=1)
        served, wording = await chat.served_model(), await chat.find_wording()
    except RouteError as error:
        return [(f"the server at {shown_url}", str(error))], None
    finally:
        await chat.aclose()
    answers: CheckResult = (f"the server at {shown_url} answers", None)
    return [answers, *((fact, None) for fact in _server_facts(chat, served, wording, message))], served.name


def _server_facts(chat: ChatTGI, served: ServedModel, wording: PromptWording, message: AIMessage) -> Iterator[str]:
    name = chat.model or served.name
    names = clean(", ".join(served.names[:5]), 300)
    others = f" (the server names {names})" if served.names and name not in served.names else ""
    yield f"its model: {clean(name, 300) if name else 'not said by the server'}{others}"
    yield f"its context: {f'{served.context:,} tokens' if served.context else 'not said by the server'}"
    source = "as set" if chat.wording else "by the model's name" if name else "since no name says any"
    yield f"its wording: {wording}, {source}; ROUTE_SQL_WORDING sets another"
    usage = message.usage_metadata
    is_said = usage is not None and "cache_read" in usage.get("input_token_details", {})
    yield f"its cached tokens: {'said with each answer' if is_said else 'not said, so the ledger leaves them open'}"


def _database(db: str, settings: Settings) -> list[CheckResult]:
    try:
        return asyncio.run(_look_at(db, settings))
    except RouteError as error:
        return [(f"the database {db_without_password(db)}", str(error))]


async def _look_at(db: str, settings: Settings) -> list[CheckResult]:
    async with open_catalog(db, settings) as (catalog, name):
        database = catalog.get(name)
        schema = await database.schema()
        report = await role_report(database)
    readable: CheckResult = (f"the database {name} can be read; tables: {len(schema.tables)}", None)
    return [readable, *(_role(report) if report else ())]


def _role(report: RoleReport) -> Iterator[CheckResult]:
    """One line for each note and finding, and after the last finding the statements that repair them all."""
    for note in report.notes:
        yield note, None
    if report.is_fine:
        yield f"the role {report.role} may only read, and its time-outs are set", None
    for number, finding in enumerate(report.findings, 1):
        is_last = number == len(report.findings)
        yield f"the role {report.role}: {finding.text}", _repair_of(report) if is_last else ""


def _repair_of(report: RoleReport) -> str:
    is_new = any(finding.is_risk for finding in report.findings)
    aim = "make a role that may only read, for the url" if is_new else "give the role what it lacks"
    return "\n     ".join([f"Let an administrator {aim}:", *report.statements])
