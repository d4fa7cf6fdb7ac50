"""The log of an evaluation: one JSON line for each question, resumed without loss or repetition."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypeAlias, cast

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from route_sql.graph.state import AnswerStatus
from route_sql.tools.database.outcome import Status
from route_sql.tools.files import write_whole
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.database_digests import changed_databases
from route_sql.training.resumable import OneWriter, check_same_settings, different_settings, to_the_end

WRONG_DATABASE = "wrong database: "
"""The beginning of a line's reason if its question or prediction names a wrong database."""
JSON: TypeAlias = "str | int | float | bool | None | Sequence[JSON] | Mapping[str, JSON]"
ShareOfOne: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=1)]
_SHOWN = 60
"""Characters of a wrong value that an error shows."""


class ProposedSQL(TypedDict):
    """One candidate of a run: its agent, its SQL, and the status of its execution."""

    agent: str
    sql: str
    status: Status


class Line(TypedDict):
    """One question of a run. Costs are None where a prediction came without them."""

    index: int
    """The example's place in the questions file."""
    database: str
    question: str
    sql: str | None
    status: AnswerStatus
    error: str | None
    correct: bool
    reason: str | None
    """Reason why it is wrong; None if it is right."""
    gold_fault: bool
    """True if the gold query failed or was too large: then nothing is right."""
    tables: int
    """Distinct tables in the gold query."""
    difficulty: str | None
    calls: int | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    seconds: FiniteFloat | None
    """Wall clock from question to answer, without the scoring."""
    asked: list[str]
    """The agents that the model was asked for, in order; empty where a prediction came without."""
    candidates: list[ProposedSQL]
    """Every candidate in the order of execution."""
    confidence: NotRequired[ShareOfOne]
    """The answer's confidence, 0 to 1; missing in lines of predictions and of older runs."""
    calibrated: NotRequired[bool]
    """Whether the confidence is a probability."""
    doubts: NotRequired[list[str]]
    """The answer's doubts."""
    correct_on_suite: NotRequired[bool]
    """Whether it is right on the perturbed clones of the database too, where that was asked for."""
    suite_clones: NotRequired[int]
    """Clones that counted for a right answer; with 0 the original alone decided."""
    soft_f1: NotRequired[ShareOfOne]
    """BIRD's soft F1, 0 to 1."""
    time_score: NotRequired[FiniteFloat]
    """R-VES of this question: 0 if it is wrong, else up to 112."""


_LINE = TypeAdapter(Line)


class RunLog:
    """The lines of a run so far, and the file they go to."""

    def __init__(self, path: Path, lines: list[Line]) -> None:
        """Continue the file at `path`, which holds exactly `lines`."""
        self.lines = lines
        self._path = path
        self._lock = asyncio.Lock()

    async def append(self, line: Line) -> None:
        """Write one whole line; cancelling waits until it is written."""
        async with self._lock:
            await to_the_end(_append, self._path, line)
            self.lines.append(line)


@asynccontextmanager
async def open_run(
    path: Path,
    settings: Mapping[str, JSON],
    examples: Sequence[Example],
    *,
    whole: Sequence[Example] | None = None,
    databases: Mapping[str, str | None] | None = None,
) -> AsyncIterator[RunLog]:
    """Begin a run, or resume one that was stopped: a last line that was cut off is dropped.

    The settings and a digest of the examples are in `PATH.meta.json`. While the run is open, `PATH.lock`
    keeps other processes from writing the same file. `whole` are the examples of all shards, if this is one;
    `databases` are the digests of the databases.

    Raises:
        EvaluationError: the file belongs to a run with other settings, examples or databases, is not a run's, is
            damaged, can't be written, or another process is writing it.
    """
    writer = OneWriter(path, "file", EvaluationError)
    try:
        await to_the_end(writer.acquire)
        yield RunLog(path, await to_the_end(_begin_or_resume, path, _meta(settings, examples, whole, databases)))
    finally:
        await to_the_end(writer.release)


def read_run(path: Path) -> list[Line]:
    """The lines of a run that nobody is writing.

    Raises:
        EvaluationError: the file can't be read, or a line is damaged or was cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(f"{path} can't be read: {error.strerror or error}") from error
    return _parse(path, data)


def line_fault(value: object) -> str | None:
    """Reason why a value is no line of a run, with its first wrong field; None if it is one.

    A wrong value would be a wrong figure: `"no"` is true in Python, and a NaN makes every mean NaN.
    """
    if not isinstance(value, dict):
        return "it should be a JSON object"
    try:
        # Strings may hold lone surrogates, which a model wrote and pydantic refuses.
        plain = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
        _LINE.validate_python(plain, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] == "missing":
            return f"{key} is missing"
        return f"{key} {problem['msg'].removeprefix('Input ')}, but is {json.dumps(problem['input'])[:_SHOWN]}"
    return None


def meta_path(path: Path) -> Path:
    """File of the settings of the run at `path`."""
    return path.with_name(path.name + ".meta.json")


@contextmanager
def _writing(path: Path, advice: str = "name another file") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EvaluationError(f"{path} can't be written: {error}; {advice}") from error


def _meta(
    settings: Mapping[str, JSON],
    examples: Sequence[Example],
    whole: Sequence[Example] | None,
    databases: Mapping[str, str | None] | None,
) -> dict[str, Any]:
    """Everything that must be the same when the run is resumed."""
    known = {"whole": None if whole is None else _counted(whole), "databases": databases}
    given = {name: value for name, value in known.items() if value is not None}
    return {"settings": dict(settings), **_counted(examples), **given}


def _begin_or_resume(path: Path, meta: Mapping[str, Any]) -> list[Line]:
    with _writing(path):
        if not path.exists():
            write_whole(meta_path(path), json.dumps(meta, indent=1) + "\n")
            path.touch()
            return []
        _check_same_run(path, meta)
        with path.open("r+b") as file:
            data = file.read()
            ended = data.rfind(b"\n") + 1
            file.truncate(ended)
    return _parse(path, data[:ended])


def _check_same_run(path: Path, now: Mapping[str, Any]) -> None:
    try:
        then = json.loads(meta_path(path).read_text(encoding="utf-8"))
        changed = different_settings(then["settings"], now["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"{path} exists, but {meta_path(path).name} next to it doesn't say of which run; name another file"
        ) from error
    if then.get("digest") != now["digest"] or then.get("whole") != now.get("whole"):
        changed.append(f"the questions differ ({then.get('questions')} were asked, {now['questions']} now)")
    changed += changed_databases(then.get("databases"), now.get("databases", {}))
    check_same_settings(path, changed, "name another file", EvaluationError)


def _counted(examples: Sequence[Example]) -> dict[str, Any]:
    return {"questions": len(examples), "digest": _digest(examples)}


def _digest(examples: Sequence[Example]) -> str:
    fields = [astuple(example) for example in examples]
    # Runs that were begun before several queries could be accepted have no place for them.
    kept = [each if each[-1] else each[:-1] for each in fields]
    return sha256(json.dumps(kept).encode()).hexdigest()


def line_bytes(line: Line) -> bytes:
    """The line as a file holds it."""
    # A lone surrogate, which a model may write, becomes the JSON escape of itself.
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _append(path: Path, line: Line) -> None:
    data = line_bytes(line)
    # Opened for each line, so that a run that dies holds nothing back in a buffer.
    with _writing(path, "the same command resumes"), path.open("ab") as file:
        file.write(data)


def _parse(path: Path, data: bytes) -> list[Line]:
    return [_line(path, number, text) for number, text in enumerate(data.splitlines(keepends=True), start=1)]


def _line(path: Path, number: int, text: bytes) -> Line:
    try:
        line = json.loads(text.rstrip(b"\r\n"))
        fault = line_fault(line)
    except (ValueError, RecursionError) as error:
        is_cut = not text.endswith(b"\n")
        resume = "; where a run was stopped, the same `eval` command asks this question again" if is_cut else ""
        fault = f"it is not whole JSON ({error}){resume}"
    if fault is not None:
        raise EvaluationError(f"{path}, line {number} is not a line of a run: {fault}; correct it or name another file")
    return cast(Line, line)
