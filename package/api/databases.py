"""Databases, their schemas, and whether a statement may run."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import JSONResponse, Response

from route_sql.api.distinct_names import DistinctNamesRoute
from route_sql.api.forms.answers import (
    CheckedBody,
    ColumnEntry,
    DatabaseEntry,
    DatabasesBody,
    SchemaBody,
    TableEntry,
    errors,
)
from route_sql.api.forms.bodies import CheckBody, DatabaseName
from route_sql.api.forms.examples import CHECK
from route_sql.api.service import AdmittedCaller, service_of
from route_sql.json_values import json_value
from route_sql.tools.database.visible import refusal_in
from route_sql.tools.schema.records import Schema, Table

router = APIRouter(tags=["databases"], route_class=DistinctNamesRoute)


@router.get("/v1/databases", responses={200: {"model": DatabasesBody}, **errors(401, 403, 421, 429, 500)})
async def databases(request: Request, caller: AdmittedCaller) -> Response:
    """List the databases that the caller may see."""
    shown = await service_of(request).shown_databases(caller)
    entries = [DatabaseEntry(name=database.name, engine=database.dialect) for database in shown]
    return JSONResponse(json_value(DatabasesBody(databases=entries)))


@router.get("/v1/schema", responses={200: {"model": SchemaBody}, **errors(400, 401, 403, 404, 421, 429, 500, 503)})
async def schema(database: Annotated[DatabaseName, Query()], request: Request, caller: AdmittedCaller) -> Response:
    """Show the tables, columns and keys of a database, as far as the caller may see them."""
    _, found = await service_of(request).visible(database, caller)
    return JSONResponse(json_value(SchemaBody(database=database, tables=_tables(found))))


@router.post(
    "/v1/check", responses={200: {"model": CheckedBody}, **errors(400, 401, 403, 404, 413, 415, 421, 429, 500, 503)}
)
async def check(
    body: Annotated[CheckBody, Body(openapi_examples=CHECK)], request: Request, caller: AdmittedCaller
) -> Response:
    """Say whether a statement may run, without running it."""
    opened, _ = await service_of(request).visible(body.database, caller)
    refusal = await refusal_in(opened, body.sql)
    checked = CheckedBody(allowed=refusal is None, reason=refusal.message if refusal else None)
    return JSONResponse(json_value(checked))


def _tables(schema: Schema) -> list[TableEntry]:
    return [TableEntry(name=table.key, comment=table.comment, columns=_columns(table, schema)) for table in schema]


def _columns(table: Table, schema: Schema) -> list[ColumnEntry]:
    references = _references(table, schema)
    return [
        ColumnEntry(
            name=column.name,
            type=column.type,
            primary_key=column.name in table.primary_key,
            references=references.get(column.name),
            comment=column.comment,
            examples=list(column.labels or column.samples),
        )
        for column in table.columns
    ]


def _references(table: Table, schema: Schema) -> dict[str, str]:
    """The column that each column refers to, as `table.column`."""
    keys = {each.key: each.primary_key for each in schema}
    return {
        column: f"{key.target_table}.{target}"
        for key in table.foreign_keys
        for column, target in zip(key.columns, key.target_columns or keys.get(key.target_table, ()), strict=False)
    }
