"""Runs a recording again without its model and its database, and says where it diverges."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.config import get_config
from pydantic import PrivateAttr

from route_sql.graph.asking import answer_in, run_with_story
from route_sql.graph.checks import Check
from route_sql.graph.context import Context
from route_sql.graph.events import Tell, no_story
from route_sql.graph.recording import Recording
from route_sql.graph.state import Answer, Exchange, Question, State
from route_sql.graph.wiring import Graph, build_graph
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.errors import RouteError
from route_sql.tools.execute_sql import make_execute_sql
from route_sql.tools.limits import Limits
from route_sql.tools.schema.records import Schema

SHOWN = 80
"""Characters of a line that a divergence quotes."""
COMPARED = ("sql", "status", "columns", "rows", "row_count", "error", "confidence", "doubts", "notes")
"""Parts of the answer that must be the same."""


class Diverged(RouteError):
    """A replay needs a reply or an outcome that was not recorded."""


@dataclass
class Replay:
    """A run of a recording."""

    recording: Recording
    state: State | None = None
    """The state at the end; None if the replay did not reach its end."""
    divergences: list[str] = field(default_factory=list)
    """One sentence for each difference from the recording, in order; empty if the runs are the same."""

    @property
    def answer(self) -> Answer | None:
        """The answer, if there is one."""
        return answer_in(self.state) if self.state is not None else None


async def replay_run(recording: Recording, *, checks: "tuple[Check, ...]" = (), tell: Tell | None = None) -> Replay:
    """Run the graph on a recording: replies and outcomes come from the recording.

    A prompt that differs from the recorded one still gets the recorded reply, and is a divergence. The replay
    ends where it needs a reply or an outcome that was not recorded. Nothing is executed and no server is asked.

    Args:
        recording: The recording.
        checks: The caller's checks in the recorded run, since code is not recorded.
        tell: Takes the events of the run.
    """
    replay = Replay(recording)
    model = _RecordedModel(replay=replay, temperature=0.0 if recording["choices"]["can_sample"] else None)
    graph = _recorded_graph(recording, model, checks)
    try:
        replay.state = await run_with_story(graph, recording["question"], _context_of(recording), tell or no_story)
    except Diverged as error:
        replay.divergences.append(str(error))
    else:
        replay.divergences += _differences(recording["answer"], answer_in(replay.state))
        replay.divergences += [f"{each['node']}: a recorded reply was not asked for" for each in model.left]
    return replay


def _recorded_graph(recording: Recording, model: "_RecordedModel", checks: "tuple[Check, ...]") -> Graph:
    """The graph on the recorded replies, notes and outcomes."""
    name = recording["question"]["database"]
    catalog = Catalog({name: _RecordedDatabase(name, recording)})

    async def recorded_notes(question: Question) -> list[str]:
        return recording["notes"]

    return build_graph(
        model,
        catalog,
        wording=recording["wording"],
        calibration=recording["calibration"],
        context_tools=[recorded_notes],
        checks=checks,
        executor=make_execute_sql(catalog),
    )


class _RecordedModel(BaseChatModel):
    """Gives the recorded reply to the same prompt and sample, or else the next one of the same node."""

    replay: Any
    temperature: float | None = None
    seed: int = 0
    _left: list[Exchange] = PrivateAttr(default_factory=list)

    def model_post_init(self, context: Any, /) -> None:
        self._left = list(self.replay.recording["exchanges"])

    @property
    def left(self) -> list[Exchange]:
        """Exchanges that were not used yet."""
        return self._left

    @property
    def completions_at_once(self) -> int:
        """The most samples that one recorded request drew."""
        together = Counter(each["drawn_with"] for each in self.replay.recording["exchanges"] if "drawn_with" in each)
        return max(together.values(), default=1)

    @property
    def _llm_type(self) -> str:
        return "route-sql-recorded"

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        node = str(get_config().get("metadata", {}).get("langgraph_node", ""))
        prompt = [str(each.text) for each in messages]
        first: int | None = kwargs["seed"] if "temperature" in kwargs else None
        samples = [None] if first is None else range(first, first + kwargs.get("n", 1))
        return ChatResult(generations=[_generation(self._next(node, prompt, sample)) for sample in samples])

    def _next(self, node: str, prompt: list[str], sample: int | None) -> Exchange:
        of_node = [each for each in self._left if each["node"] == node]
        if not of_node:
            raise Diverged(f"{node}: asks the model, but no further reply of it was recorded")
        known = [each for each in of_node if _prompt(each) == prompt]
        if not known:
            self.replay.divergences.append(f"{node}: {_first_difference(_prompt(of_node[0]), prompt)}")
        found = known or of_node
        exchange = next((each for each in found if each["sample"] == sample), found[0])
        self._left.remove(exchange)
        return exchange


class _RecordedDatabase:
    """A database of the recorded schema and outcomes."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self._recording = recording

    @property
    def dialect(self) -> str:
        return self._recording["database_schema"].dialect

    @property
    def limits(self) -> Limits:
        return self._recording["limits"]

    async def schema(self) -> Schema:
        return self._recording["database_schema"]

    async def execute(self, sql: str, limits: Limits | None = None) -> Outcome:
        found = next((each["outcome"] for each in self._recording["queries"] if each["sql"] == sql), None)
        if found is not None:
            return found
        node = get_config().get("metadata", {}).get("langgraph_node")
        if node == "ground":  # a query of the value index, whose notes are recorded
            return failed("error", "not recorded")
        raise Diverged(f"{node}: runs a query that was not recorded: {_clipped(sql)}")

    async def warnings(self) -> tuple[str, ...]:
        return tuple(self._recording["warnings"])

    async def close(self) -> None:
        pass


def _context_of(recording: Recording) -> Context:
    """The context of the recorded run; its rights are in the recorded schema already."""
    kept: dict[str, Any] = {key: value for key, value in recording["choices"].items()}
    for key in ("rights", "can_sample", "correct_rows"):
        kept.pop(key, None)
    return Context(
        **{
            **kept,
            "without": tuple(kept["without"]),
            "withhold": kept.get("withhold") is not None,
            "withhold_from": kept.get("withhold"),
            "keep_prompts": True,
        }
    )


def _prompt(exchange: Exchange) -> list[str]:
    return [message["content"] for message in exchange["messages"]]


def _generation(exchange: Exchange) -> ChatGeneration:
    details: Any = {} if exchange["cached_tokens"] is None else {"cache_read": exchange["cached_tokens"]}
    used = exchange["prompt_tokens"], exchange["completion_tokens"]
    usage = UsageMetadata(
        input_tokens=used[0], output_tokens=used[1], total_tokens=sum(used), input_token_details=details
    )
    tokens = [{"token": "", "logprob": value} for value in exchange["logprobs"]]
    metadata = {"finish_reason": exchange["finish_reason"], **({"logprobs": {"content": tokens}} if tokens else {})}
    return ChatGeneration(message=AIMessage(exchange["reply"], usage_metadata=usage, response_metadata=metadata))


def _first_difference(recorded: list[str], now: list[str]) -> str:
    """The first line in which two prompts differ."""
    lines = zip_longest("\n".join(recorded).split("\n"), "\n".join(now).split("\n"), fillvalue="(the end)")
    number, then, given = next((place, *pair) for place, pair in enumerate(lines, 1) if pair[0] != pair[1])
    return f"line {number} of the prompt is {_clipped(given)}, recorded was {_clipped(then)}"


def _differences(recorded: Answer, now: Answer) -> list[str]:
    """The parts of the answer that differ."""
    then: Any
    values: Any
    then, values = recorded, now
    found = [
        f"answer: {key} is {_clipped(values[key])}, recorded was {_clipped(then[key])}"
        for key in COMPARED
        if values[key] != then[key]
    ]
    tried = [[(each["agent"], each["sql"], each["status"]) for each in given["candidates"]] for given in (then, values)]
    return [*found, "answer: other candidates were tried"] if tried[0] != tried[1] else found


def _clipped(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
