"""Pages on disk: that one can be written is checked before hours of work."""

import os
from pathlib import Path

from route_sql.pages.engine import require_pages
from route_sql.tools.errors import InvalidInput
from route_sql.tools.files import write_whole


def require_writable(path: Path) -> None:
    """Check that a page can be made and written.

    Raises:
        InvalidInput: Jinja2 is not installed, the path is a folder, or its folder is missing or can't be written.
    """
    require_pages()
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InvalidInput(f"the page can't be written to {path}: name a file in a folder that exists and is yours")


def write_page(path: Path, page: str) -> None:
    """Write a page as a whole; an older one of that name is replaced.

    Raises:
        InvalidInput: it can't be written.
    """
    try:
        write_whole(path, page)
    except OSError as error:
        raise InvalidInput(f"the page can't be written to {path}: {error.strerror or error}") from error
