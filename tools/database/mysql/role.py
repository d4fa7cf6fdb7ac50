"""The rights of a MySQL or MariaDB user, and the statements that make one that may only read."""

import re
from collections.abc import Iterator, Sequence

from route_sql.tools.database.mysql.schema import quoted
from route_sql.tools.database.roles import PASSWORD, READER, Finding, RoleReport, listed
from route_sql.tools.database.running.server_session import OWN_LIMITS, ServerSession
from route_sql.tools.schema.quoting import literal

MOST_NAMED = 30
"""Number of tables up to which each is granted; with more, the grant is on the whole database."""
DEADLINE_SECONDS = 30
MOST_CONNECTIONS = 32

_HARMLESS = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "REFERENCES"}
_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<place>.+?) TO .*?(?P<pass_on> WITH .*GRANT OPTION.*)?", re.DOTALL)
_ROLE = re.compile(r"GRANT (?P<role>[`'\"]?[^ ]+?) TO ", re.DOTALL)
_COLUMNS = re.compile(r"\s*\([^)]*\)")
_TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema IN ({names}) ORDER BY table_schema, table_name
"""


def read_role(session: ServerSession, namespaces: Sequence[str], has_deadline: bool | None) -> RoleReport:
    """The rights of a session's user beyond reading, and the statements that make one that may only read.

    Args:
        session: Asks the server.
        namespaces: The databases to show; none shows the current one.
        has_deadline: Whether the server ends the user's statements by itself; None where it has no such setting.

    Raises:
        DatabaseUnavailable: the server was lost.
    """
    user = str(session.ask("SELECT CURRENT_USER()")[0][0])
    risks = [Finding(f"it has {text}") for text in _risks(_grants(session))]
    missing = [Finding("MAX_STATEMENT_TIME is not set on the user", is_risk=False)] if has_deadline is False else []
    if risks:
        reader = READER if not user.startswith(f"{READER}@") else f"{READER}_2"
        statements = tuple(_statements(session, reader, namespaces, has_deadline))
        return RoleReport(user, (*risks, *missing), statements)
    name, _, host = user.partition("@")
    remedy = f"ALTER USER '{name}'@'{host}' WITH MAX_STATEMENT_TIME {DEADLINE_SECONDS};"
    return RoleReport(user, tuple(missing), (remedy,) if missing else ())


def _grants(session: ServerSession) -> list[str]:
    """The lines of SHOW GRANTS, those of granted roles too; they may hold a password's hash and are not passed on."""
    lines = [str(row[0]) for row in session.ask("SHOW GRANTS")]
    roles = [match["role"] for line in lines if " ON " not in line and (match := _ROLE.match(line))]
    return lines + [str(row[0]) for role in roles for row in session.sample(f"SHOW GRANTS FOR {role}", OWN_LIMITS)]


def _risks(grants: Sequence[str]) -> Iterator[str]:
    for line in dict.fromkeys(grants):
        match = _GRANT.fullmatch(line)
        if match is None:
            continue
        rights = {right.strip() for right in _COLUMNS.sub("", match["rights"]).split(",")}
        if "GRANT OPTION" in (match["pass_on"] or ""):
            rights.add("GRANT OPTION")
        if risky := sorted(rights - _HARMLESS):
            place = "other users" if "@" in match["place"] else match["place"].replace("`", "")
            yield f"{listed(risky, 4)} on {place}"


def _statements(
    session: ServerSession, reader: str, namespaces: Sequence[str], has_deadline: bool | None
) -> Iterator[str]:
    who = f"'{reader}'@'%'"
    deadline = "" if has_deadline is None else f" MAX_STATEMENT_TIME {DEADLINE_SECONDS}"
    yield f"CREATE USER {who} IDENTIFIED BY '{PASSWORD}' WITH MAX_USER_CONNECTIONS {MOST_CONNECTIONS}{deadline};"
    shown = list(namespaces) or [str(session.ask("SELECT DATABASE()")[0][0])]
    for namespace in shown:
        tables = [str(row[1]) for row in session.ask(_TABLES.format(names=literal(namespace, "mysql")))]
        places = [quoted(table) for table in tables] if 0 < len(tables) <= MOST_NAMED else ["*"]
        for place in places:
            yield f"GRANT SELECT, SHOW VIEW ON {quoted(namespace)}.{place} TO {who};"
