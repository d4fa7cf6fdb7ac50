"""Common table expressions, and the rules by which they see each other's names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from route_sql.tools.guard.names.sources import Output
from route_sql.tools.guard.names.values import key_of


@dataclass
class Common:
    """A common table expression, read when it is first named."""

    node: exp.Expr
    read: "Callable[[Common], list[Output]]"
    sees: "Commons" = field(default_factory=dict)
    further: list[Output] = field(default_factory=list)
    """The columns that SEARCH and CYCLE add."""
    first: list[Output] | None = None
    """Columns of its first part, once that is read: its own name means these in the other parts."""
    _is_read: bool = False
    _outputs: list[Output] | None = None

    def outputs(self) -> list[Output] | None:
        """Its columns; None where it names itself before its first part is read."""
        if self._outputs is None and not self._is_read:
            self._is_read = True
            self._outputs = self.read(self)
        return self._outputs if self._outputs is not None else self.first


Commons = Mapping[str, Common]


def declared(
    clause: exp.Expr, around: Commons, dialect: str, read: Callable[[Common], list[Output]]
) -> tuple[Commons, list[Common]]:
    """Meanings of the names of common table expressions after a WITH clause, and those that it declares.

    In SQLite, and with RECURSIVE, each sees all of them and itself; else only those before it.
    """
    sees_all = dialect == "sqlite" or bool(clause.args.get("recursive"))
    every = dict(around)
    commons = []
    further = _further(clause, dialect)
    for node in clause.expressions:
        common = Common(node, read, sees=every if sees_all else dict(every), further=further)
        alias = node.args.get("alias")
        if alias is not None and alias.this is not None:
            every[key_of(alias.this, dialect)] = common
        commons.append(common)
    return every, commons


def _further(clause: exp.Expr, dialect: str) -> list[Output]:
    clauses = [clause.args.get(kind) for kind in ("search", "cycle")]
    parts = [part for given in clauses if given for part in (given if isinstance(given, list) else [given])]
    names = [node.args.get(part) for node in parts for part in ("expression", "using")]
    return [Output.plain(key_of(name, dialect)) for name in names if isinstance(name, exp.Identifier)]
