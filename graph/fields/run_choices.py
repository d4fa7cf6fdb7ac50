"""The choices of a run as the state keeps them."""

from typing import Any, NotRequired

from typing_extensions import TypedDict


class Choices(TypedDict):
    """The caller's choices of one run, as it began with them; see `Context`."""

    strategy: str
    """Name of the strategy."""
    without: list[str]
    """Agents that are switched off."""
    dialect: str | None
    """sqlglot's name of the SQL dialect; None for the database's own."""
    row_limit: int | None
    """Rows that the answer holds at most; None for the database's own limit."""
    deadline: float | None
    """Seconds that a query may run; None for the database's own limit."""
    seconds: float | None
    """Seconds that the whole question may take; None for no limit."""
    schema_chars: int
    """Characters of schema that a prompt may hold."""
    max_corrections: int
    """Calls of the noise corrector at most."""
    max_continuations: int
    """Calls of the continuation writer at most."""
    max_samples: int
    """Calls of the generator at a temperature at most, while no candidate runs."""
    samples: NotRequired[int]
    """Samples that a question in doubt gets; missing in older recordings."""
    sample_seconds: NotRequired[float]
    """Seconds that these samples may take, their queries included; missing there too."""
    max_tokens: int | None
    """Tokens of a reply at most; None for the model's own limit."""
    withhold: float | None
    """Probability that the question can't be answered from which no SQL is given; None always gives SQL."""
    enough: float
    """Confidence from which no other agent is asked; 1 if all are asked for their reasons."""
    min_confidence: float
    """Confidence below which the answer is `unsure`."""
    follow_up: bool
    """Whether a question that refers to the thread's last one is read with it."""
    approve: bool
    """Whether a person is asked before each query."""
    after_rejection: str
    """Node after a person rejected a query: `answer` or `correct_noise`."""
    clarify: bool
    """Whether a person is asked about unclear words and unsure answers."""
    rights: dict[str, Any]
    """Rights of the caller: `Visibility.as_json`."""
    asked_by: str | None
    """The caller's name in the audit."""
    keep_prompts: bool
    """Whether the state keeps each prompt and reply."""
    can_sample: bool
    """Whether the model can be asked at a temperature."""
    correct_rows: NotRequired[bool]
    """Whether the noise corrector is asked once a query of the model has returned rows; true where it is missing."""
    surrounded: NotRequired[bool]
    """True where the choices came from the context of a graph around ours."""
