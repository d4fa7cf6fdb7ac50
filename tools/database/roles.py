"""The rights of a database role beyond reading, and the statements that make a role that may only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

READER = "route_sql_reader"
PASSWORD = "CHOOSE-A-PASSWORD"


@dataclass(frozen=True, slots=True)
class Finding:
    """A right that a role has beyond reading, or a setting that it lacks.

    `is_risk` marks rights that could change or leak data if every other layer failed; a missing setting is not a risk.
    """

    text: str
    is_risk: bool = True


@dataclass(frozen=True, slots=True)
class RoleReport:
    """Findings about a role.

    `statements` make a role that may only read, with the placeholder `'CHOOSE-A-PASSWORD'`; an administrator runs them.
    `notes` are about the connection and need no action.
    """

    role: str
    findings: tuple[Finding, ...] = ()
    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether the role may only read and lacks no setting."""
        return not self.findings


@runtime_checkable
class HasRole(Protocol):
    """A database that is opened with a role."""

    async def role(self) -> RoleReport:
        """The rights of the role."""


async def role_report(database: object) -> RoleReport | None:
    """The rights of a database's role; None for a file, which is always opened read-only.

    Raises:
        DatabaseUnavailable: the server can't be reached.
    """
    return await database.role() if isinstance(database, HasRole) else None


def warnings_of(report: RoleReport, name: str) -> tuple[str, ...]:
    """The sentence for every answer; none for a role that may only read."""
    risks = [finding.text for finding in report.findings if finding.is_risk]
    if not risks:
        return ()
    return (
        f"the database role may do more than read: {'; '.join(risks)} (route-sql doctor --db {name} prints the "
        "statements that make a role that may only read)",
    )


def listed(names: Sequence[str], most: int = 3) -> str:
    """A few names and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
