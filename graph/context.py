"""What a caller may choose for one run, all of it JSON-plain and shown as a form in LangGraph Studio."""

from dataclasses import dataclass, field
from typing import Any, Literal

from langgraph.runtime import Runtime

from route_sql.tools.schema.visibility import Visibility

Strategy = Literal["adaptive", "paper", "single"]
AgentName = Literal["link_schema", "draft", "generate", "complete_joins", "correct_noise", "continue_writing"]


def _described(text: str) -> dict[str, Any]:
    return {"description": text}


@dataclass(frozen=True)
class Context:
    """Run-time choices. Objects (model, catalog, tools) are arguments of `build_graph` instead.

    `allow` and `hide` are for the host that knows its caller; they must come with every run, a resumed one too.
    """

    strategy: Strategy = field(
        default="adaptive",
        metadata=_described(
            "adaptive: an agent is asked only when there is a reason. paper: the published order, every agent. "
            "single: one call of the generator."
        ),
    )
    without: tuple[AgentName, ...] = field(
        default=(), metadata=_described("Agents switched off, as in the paper's ablations.")
    )
    dialect: str | None = field(
        default=None, metadata=_described("sqlglot name of the SQL dialect, if not the database's own.")
    )
    row_limit: int = field(default=100, metadata=_described("Rows that the answer holds at most."))
    deadline: float = field(default=10.0, metadata=_described("Seconds a query may run."))
    schema_chars: int = field(
        default=12_000,
        metadata=_described("Characters of rendered schema a prompt may hold; a larger schema is cut by relevance."),
    )
    max_corrections: int = field(default=2, metadata=_described("Calls of the noise corrector at most."))
    max_continuations: int = field(default=1, metadata=_described("Calls of the continuation writer at most."))
    max_samples: int = field(
        default=3,
        metadata=_described(
            "Calls of the generator at a temperature at most, while nothing runs; only of models that have one."
        ),
    )
    approve: bool = field(
        default=False,
        metadata=_described("Interrupt before each query and run it only if the resume value says so."),
    )

    allow: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            "What this caller may see: table, table.column, schema.table, with * for any letters; empty for all that "
            "the catalog shows. It narrows the catalog and never widens it."
        ),
    )
    hide: tuple[str, ...] = field(
        default=(), metadata=_described("What this caller may not see, beside what the catalog hides.")
    )

    def __post_init__(self) -> None:
        """Refuse one name where a list is meant: letter by letter it would hide nothing.

        Raises:
            ValueError: `allow` or `hide` is no list of names.
        """
        for key in ("allow", "hide"):
            names = getattr(self, key)
            if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{key} in the context must be a list of names, such as ['customer.email']")

    @property
    def rights(self) -> Visibility:
        """What this caller may see of a database, as far as the catalog shows it."""
        return Visibility(tuple(self.allow), tuple(self.hide))

    def uses(self, agent: AgentName) -> bool:
        """Whether the agent is switched on."""
        return agent not in self.without


def context_of(runtime: Runtime[Context]) -> Context:
    """The run's context; LangGraph passes None, not the defaults, when the caller gave none."""
    return runtime.context or Context()
