"""The page and its files, read once: a request names one of them and never a path."""

import mimetypes
from functools import cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from route_sql.api.errors import ApiError
from route_sql.api.forms.answers import errors

router = APIRouter(include_in_schema=False)
INDEX = "index.html"
KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
NO_FILE = "There is no such file."


@cache
def page_files() -> dict[str, tuple[bytes, str]]:
    """The bytes and the media type of each file of the page."""
    folder = files("route_sql.api") / "page"
    return {each.name: (each.read_bytes(), _kind(each.name)) for each in folder.iterdir() if each.is_file()}


@router.get("/")
async def index() -> Response:
    """The page."""
    return _file(INDEX)


@router.get("/static/{name}", responses=errors(404))
async def static(name: Annotated[str, Path()]) -> Response:
    """A file of the page."""
    return _file(name)


def _file(name: str) -> Response:
    found = page_files().get(name)
    if found is None:
        raise ApiError(404, NO_FILE)
    return Response(found[0], media_type=found[1], headers={"Cache-Control": "no-cache"})


def _kind(name: str) -> str:
    ending = f".{name.rpartition('.')[2]}"
    return KINDS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
