"""The template engine of every HTML page: whatever a template prints is escaped, and a page loads nothing.

Values are untrusted: cells, names, SQL, replies. Each is shown with escapes for invisible and reordering characters, as
a terminal shows it, and then escaped for HTML. The page forbids scripts and every address by its own policy, so a value
that slipped through could still do nothing.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from route_sql.tools.errors import InvalidInput
from route_sql.tools.terminal import escaped

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MISSING = "an HTML page needs Jinja2: pip install 'route-sql[pages]'"
_PARTS = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\w+|\W""")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")


def require_pages() -> None:
    """Check that pages can be made, before a question is asked for one.

    Raises:
        InvalidInput: Jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise InvalidInput(MISSING) from error


def render_page(template: str, **values: Any) -> str:
    """A whole page from one of our templates.

    Raises:
        InvalidInput: Jinja2 is not installed.
    """
    require_pages()
    page = _environment().get_template(template).render(values)
    return page.encode("utf-8", "replace").decode()


def style_policy() -> str:
    """The Content-Security-Policy for a server that sends a page: no script, no address, our style alone."""
    style = _environment().globals["style_hash"]
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox"
    )


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("route_sql.pages")
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    style = loader.get_source(made, "style.css")[0]
    made.filters["isolated_sql"] = isolated_sql
    made.globals["style"] = Markup(style)
    made.globals["style_hash"] = b64encode(sha256(style.encode()).digest()).decode()
    return made


def isolated_sql(sql: str | None) -> "Markup":
    """A query in which right-to-left names and texts do not reorder their neighbours."""
    from markupsafe import Markup, escape

    parts = (escape(part) for part in _PARTS.findall(_shown(sql)))
    return Markup("").join(Markup(f"<bdi>{part}</bdi>") if _RIGHT_TO_LEFT.search(part) else part for part in parts)


def _shown(value: Any) -> Any:
    """A value as a template prints it; our own markup stays as it is."""
    if hasattr(value, "__html__"):
        return value
    return "" if value is None else escaped(str(value), lines=True)
