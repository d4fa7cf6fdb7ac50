"""Callers of a server, and what each may see."""

from dataclasses import dataclass

from route_sql.tools.schema.rights.visibility import Visibility


@dataclass(frozen=True)
class Caller:
    """Someone who calls a server."""

    name: str | None = None
    """Name in the configuration; None for the owner of the process."""
    rights: Visibility = Visibility()
    """Tables and columns that the caller may see, as far as the catalog shows them."""
