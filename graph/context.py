"""The caller's choices for one run: plain JSON, shown as a form in LangGraph Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from sys import float_info
from typing import Any, Literal, get_args

from langgraph.config import get_config
from langgraph.runtime import Runtime
from sqlglot.dialects.dialect import Dialect

from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.rights.visibility import Visibility

Strategy = Literal["adaptive", "paper", "single"]
AgentName = Literal["link_schema", "draft", "generate", "complete_joins", "correct_noise", "continue_writing", "sample"]

AfterRejection = Literal["answer", "correct_noise"]

MOST_SAMPLES = 16
"""Samples of a question at most."""
MOST_COUNT = 2**63 - 1
"""Largest whole number of a choice: checkpoints and engines hold it."""


def _described(text: str) -> dict[str, Any]:
    return {"description": text}


@dataclass(frozen=True)
class Context:
    """Run-time choices. Objects (model, catalog, tools) are arguments of `build_graph` instead.

    A run keeps the choices it began with. When it is resumed with another context, only `allow`, `hide`, `approve`,
    `row_limit` and `deadline` of that context count, and only where they are narrower. `allow` and `hide` are for the
    host that knows its caller.
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
    row_limit: int | None = field(
        default=None, metadata=_described("Rows that the answer holds at most, if fewer than the database's own limit.")
    )
    deadline: float | None = field(
        default=None, metadata=_described("Seconds a query may run, if fewer than the database's own limit.")
    )
    seconds: float | None = field(
        default=None,
        metadata=_described(
            "Seconds that the whole question may take; then the run answers with the best candidate so far. Waiting "
            "for a person does not count."
        ),
    )
    schema_chars: int = field(
        default=12_000,
        metadata=_described("Characters of rendered schema a prompt may hold; a larger schema is cut by relevance."),
    )
    max_corrections: int = field(default=2, metadata=_described("Calls of the noise corrector at most."))
    max_continuations: int = field(default=1, metadata=_described("Calls of the continuation writer at most."))
    max_samples: int = field(
        default=3,
        metadata=_described(
            "Calls of the generator at a temperature at most, while no candidate runs; for models that have one."
        ),
    )
    samples: int = field(
        default=0,
        metadata=_described(
            "Samples that a question in doubt gets: queries that the generator writes at a temperature, half of them "
            "on the full schema. The result that most of them return is the answer. 0 for none. For adaptive and a "
            "model with a temperature."
        ),
    )
    sample_seconds: float = field(
        default=30.0,
        metadata=_described("Seconds that the samples of a question may take, their queries included."),
    )
    max_tokens: int | None = field(
        default=None,
        metadata=_described("Tokens of a reply at most, if not the model's own limit; a model that thinks needs more."),
    )
    enough: float | None = field(
        default=None,
        metadata=_described(
            "Confidence of an undoubted candidate from which no other agent is asked; null for the one of the "
            "model's calibration, 1 to ask whenever there is a reason. For adaptive and a model with a calibration."
        ),
    )
    min_confidence: float = field(
        default=0.0, metadata=_described("Confidence below which the answer's status is unsure; it keeps SQL and rows.")
    )
    withhold: bool = field(
        default=True,
        metadata=_described(
            "Whether the status is unanswerable, without SQL and rows, where the database most likely can't answer. "
            "For adaptive."
        ),
    )
    withhold_from: float | None = field(
        default=None,
        metadata=_described(
            "Probability that the database can't answer from which SQL is withheld, if withhold is true; null for the "
            "one of the model's calibration. For adaptive and a model with a calibration."
        ),
    )
    follow_up: bool = field(
        default=True,
        metadata=_described(
            "Whether a question that refers to the thread's last one, such as 'And by month?', is read with it."
        ),
    )
    approve: bool = field(
        default=False,
        metadata=_described("Interrupt before each query, for a person to approve, edit or reject it."),
    )
    after_rejection: AfterRejection = field(
        default="answer",
        metadata=_described(
            "answer: the run ends when a person rejects a query. correct_noise: the corrector reads the person's "
            "reason and may write another query, as often as max_corrections allows."
        ),
    )

    clarify: bool = field(
        default=False,
        metadata=_described(
            "Interrupt where a word of the question fits several columns or values equally well, or where the answer "
            "would be unsure, for a person to choose."
        ),
    )
    asked_by: str | None = field(default=None, metadata=_described("Name of the caller for the audit log."))
    keep_prompts: bool = field(
        default=False,
        metadata=_described(
            "Keep each prompt and reply in the state, as `exchanges`: they hold cells of the database, and a "
            "checkpointer stores them."
        ),
    )
    allow: tuple[str, ...] | None = field(
        default=None,
        metadata=_described(
            "Tables and columns that this caller may see: table, table.column, schema.table, with * for any letters; "
            "null for all that the catalog shows, an empty list for nothing. database:table is for that database "
            "alone. It narrows the catalog and never widens it."
        ),
    )
    hide: tuple[str, ...] = field(
        default=(),
        metadata=_described(
            "Tables and columns that this caller may not see, in addition to those that the catalog hides."
        ),
    )

    def __post_init__(self) -> None:
        """Refuse choices that would be misread: a name in place of a list is read letter by letter and hides nothing.

        Raises:
            InvalidInput: an unknown choice, a number out of its range, or something else in place of a list.
        """
        self._require_known()
        self._require_lists()
        self._require_numbers()
        for key in ("approve", "clarify", "follow_up", "withhold", "keep_prompts"):
            _require(isinstance(getattr(self, key), bool), key, "true or false", getattr(self, key))
        who = self.asked_by
        _require(who is None or isinstance(who, str), "asked_by", "the caller's name, as a text", who)

    def _require_known(self) -> None:
        _require(self.strategy in get_args(Strategy), "strategy", f"one of {_STRATEGIES}", self.strategy)
        ends = self.after_rejection in get_args(AfterRejection)
        _require(ends, "after_rejection", "answer or correct_noise", self.after_rejection)
        known = self.dialect is None or (isinstance(self.dialect, str) and Dialect.get(self.dialect) is not None)
        _require(known, "dialect", "sqlglot's name of a dialect, such as sqlite or postgres", self.dialect)

    def _require_lists(self) -> None:
        agents = _is_list(self.without) and set(self.without) <= set(get_args(AgentName))
        _require(agents, "without", f"a list of agents, which are {_AGENTS}", self.without)
        for key in ("allow", "hide"):
            names = getattr(self, key)
            named = _is_list(names) and all(name.strip() for name in names)
            may_lack = key == "allow" and names is None
            _require(named or may_lack, key, "a list of names, such as ['customer.email']", names)

    def _require_numbers(self) -> None:
        for key, least in _LEAST.items():
            number = getattr(self, key)
            counts = isinstance(number, int) and not isinstance(number, bool) and least <= number <= MOST_COUNT
            may_lack = key in _MAY_LACK and number is None
            _require(counts or may_lack, key, f"a whole number from {least} on", number)
        _require(
            _is_whole(self.samples, MOST_SAMPLES), "samples", f"a whole number from 0 to {MOST_SAMPLES}", self.samples
        )
        for key in ("enough", "min_confidence", "withhold_from"):
            share = getattr(self, key)
            is_share = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
            _require(is_share or (key != "min_confidence" and share is None), key, "a number from 0 to 1", share)
        _require(self.withhold_from != 0, "withhold_from", "above 0, since 0 would withhold every question", 0)
        for key in ("deadline", "seconds", "sample_seconds"):
            seconds = getattr(self, key)
            may_lack = key != "sample_seconds" and seconds is None
            _require(may_lack or _is_duration(seconds), key, "a number of seconds above 0", seconds)

    @property
    def rights(self) -> Visibility:
        """Tables and columns that this caller may see, as far as the catalog shows them."""
        return Visibility(None if self.allow is None else tuple(self.allow), tuple(self.hide))


def context_of(runtime: Runtime[Context]) -> Context:
    """The run's context; LangGraph passes None, not the defaults, when the caller gave none.

    Within another graph the context is that graph's, and ours is its key or attribute `route_sql`.

    Raises:
        InvalidInput: as for `read_context`.
    """
    return read_context(runtime.context)


def read_context(given: object) -> Context:
    """The context in what a caller gave; the defaults for None.

    Raises:
        InvalidInput: a context of another kind without `route_sql`. Defaults might widen the caller's rights.
    """
    if isinstance(given, Mapping):
        given = given.get("route_sql", given)
    elif not isinstance(given, Context):
        given = getattr(given, "route_sql", given)
    if isinstance(given, Mapping) and given.keys() <= _FIELDS:
        given = Context(**given)
    if not isinstance(given, Context | None):
        names = ", ".join(sorted(map(str, given.keys() - _FIELDS))) if isinstance(given, Mapping) else ""
        raise InvalidInput(
            f"the context {type(given).__name__} {f'with {names} ' if names else ''}is not one of route-sql's. Give it "
            "a route_sql that holds a route_sql.Context, or call this graph in a node with context=Context(...)"
        )
    return given or Context()


def authenticated_user() -> str | None:
    """The user that the server of LangGraph has authenticated for this call; None if there is none."""
    user = get_config().get("configurable", {}).get("langgraph_auth_user_id")
    return None if user is None else str(user)


_FIELDS = {each.name for each in fields(Context)}
_STRATEGIES = ", ".join(get_args(Strategy))
_AGENTS = ", ".join(get_args(AgentName))
_LEAST = {
    "row_limit": 0,
    "schema_chars": 1,
    "max_corrections": 0,
    "max_continuations": 0,
    "max_samples": 0,
    "max_tokens": 1,
}
_MAY_LACK = {"row_limit", "max_tokens"}


def _is_whole(number: object, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most


def _is_duration(seconds: object) -> bool:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 < seconds <= float_info.max


def _is_list(names: object) -> bool:
    return isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)


def _require(is_met: bool, key: str, wanted: str, given: object) -> None:
    if not is_met:
        raise InvalidInput(f"{key} in the context must be {wanted}, not {given!r:.200}")
