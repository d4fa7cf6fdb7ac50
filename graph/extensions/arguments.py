"""The caller's extensions, checked when the graph is built: a tool that can't be called is an error then."""

import inspect
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from logging import Logger
from typing import Any, cast, get_type_hints
from weakref import WeakKeyDictionary

from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.tools import BaseTool
from pydantic import BaseModel

from route_sql.agents.prompts import Prompts
from route_sql.graph.extensions.audit import AuditLog
from route_sql.graph.extensions.executor import MARGIN, Executor
from route_sql.graph.extensions.extension import Extension, name_of
from route_sql.graph.state import State
from route_sql.tools.errors import InvalidInput
from route_sql.tools.execute_sql import ExecuteSQL

RIGHTS = ("allow", "hide", "within")
CONTEXT_ARGUMENTS = ("question", "database", "evidence", *RIGHTS)
EXECUTOR_ARGUMENTS = ("sql", "database", "seconds", *RIGHTS)
PROMPT_ARGUMENTS = {
    "link_schema": ("brief",),
    "generate": ("brief",),
    "correct_noise": ("brief", "sql", "finding"),
    "continue_writing": ("brief", "prefix"),
}


def context_extensions(tools: Sequence[Any], seconds: float) -> tuple[Extension, ...]:
    """The caller's context tools under a time limit.

    Raises:
        InvalidInput: one of them can't be called with a question.
    """
    _require_list(tools, "context_tools")
    for tool in tools:
        if isinstance(tool, BaseTool):
            _require_arguments(tool, "context tool", CONTEXT_ARGUMENTS)
        else:
            _require_call(tool, "context tool", ("question",))
    return _extensions("context tool", tools, seconds)


def check_extensions(kind: str, checks: Sequence[Any], names: Sequence[str], seconds: float) -> tuple[Extension, ...]:
    """The caller's checks under a time limit.

    Raises:
        InvalidInput: one of them can't be called with these arguments.
    """
    _require_list(checks, f"{kind.replace(' ', '_')}s")
    for check in checks:
        _require_call(check, kind, names)
    return _extensions(kind, checks, seconds)


def executor_extension(tool: Any) -> Executor:
    """The caller's executor under its deadline; `execute_sql` keeps bounds of its own.

    Raises:
        InvalidInput: it is not a tool, or can't be called with SQL.
    """
    if isinstance(tool, ExecuteSQL):
        return tool
    if not isinstance(tool, BaseTool):
        raise InvalidInput(f"the executor must be a LangChain tool, not {name_of(tool)}: decorate it with @tool")
    _require_arguments(tool, "executor", EXECUTOR_ARGUMENTS)
    if "sql" not in arguments(tool):
        raise InvalidInput(f"the executor {tool.name} must take an argument sql")
    return Extension("executor", tool, MARGIN)


def audit_log(log: Any) -> AuditLog | None:
    """The caller's audit log.

    Raises:
        InvalidInput: it is neither a logger nor a function of an entry.
    """
    if log is not None and not isinstance(log, Logger):
        _require_call(log, "audit log", ("entry",))
    return cast(AuditLog | None, log)


def checked_prompts(prompts: Prompts | None) -> Prompts:
    """The prompts of the agents. What those of the caller's give is checked when they are called.

    Raises:
        InvalidInput: one of them can't be called with what its agent has.
    """
    if not isinstance(prompts, Prompts | None):
        raise InvalidInput(f"prompts must be a route_sql.Prompts, not {name_of(prompts)}: write Prompts(generate=...)")
    given = prompts or Prompts()
    for agent, names in PROMPT_ARGUMENTS.items():
        more = {"failed": False} if agent == "correct_noise" else {}
        _require_call(getattr(given, agent), f"prompt {agent}", names, **more)
    own = {agent: each for agent in PROMPT_ARGUMENTS if (each := getattr(given, agent)) is not getattr(Prompts, agent)}
    return replace(given, **{agent: _giving_messages(agent, function) for agent, function in own.items()})


def _giving_messages(agent: str, function: Callable[..., Any]) -> Callable[..., list[BaseMessage]]:
    """A prompt of the caller's whose result is messages.

    Raises (when called):
        InvalidInput: it gives none.
    """

    def messages(*given: Any, **named: Any) -> list[BaseMessage]:
        made = function(*given, **named)
        try:
            found = convert_to_messages(made) if isinstance(made, list | tuple) else []
        except Exception as error:  # of many kinds, for what the caller's function gave
            raise InvalidInput(f"{_no_messages(agent, made)}: {error}") from error
        if not found:
            raise InvalidInput(_no_messages(agent, made))
        return found

    return messages


def _no_messages(agent: str, made: object) -> str:
    return f"the prompt {agent} must return a list of messages, such as conversation(brief, task), not {made!r:.100}"


def seconds_of(seconds: object) -> float:
    """The time limit of context tools and checks.

    Raises:
        InvalidInput: it is not a number above 0.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise InvalidInput(f"extension_seconds must be a number of seconds above 0, not {seconds!r}")
    return float(seconds)


def arguments(tool: BaseTool) -> Set[str]:
    """The names of a tool's arguments, including those that a model does not see.

    LangChain makes a JSON schema to name them, so they are read once for each form of arguments.
    """
    schema = tool.args_schema
    if not isinstance(schema, type):
        return _arguments(tool)
    known = _KNOWN.get(schema)
    if known is None:
        known = _KNOWN[schema] = frozenset(_arguments(tool))
    return known


_KNOWN: WeakKeyDictionary[type, frozenset[str]] = WeakKeyDictionary()


def _arguments(tool: BaseTool) -> set[str]:
    schema = tool.args_schema
    if isinstance(schema, dict):
        return set(schema.get("properties", ()))
    injected = schema.model_fields if isinstance(schema, type) and issubclass(schema, BaseModel) else ()
    return {*tool.args, *injected}


def _required(tool: BaseTool) -> list[str]:
    schema = tool.args_schema
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return [name for name, field in schema.model_fields.items() if field.is_required()]
    return list((schema if isinstance(schema, dict) else tool.get_input_jsonschema()).get("required", ()))


def _require_arguments(tool: BaseTool, kind: str, passed: Sequence[str]) -> None:
    if unknown := [name for name in _required(tool) if name not in passed]:
        raise InvalidInput(
            f"the {kind} {tool.name} requires {', '.join(unknown)}, which route-sql does not pass: give each a "
            f"default, or bind it. Passed are {', '.join(passed)}"
        )


def _require_call(function: Any, kind: str, names: Sequence[str], **more: object) -> None:
    shown = f"({', '.join(names)})"
    if isinstance(function, BaseTool) or not callable(function):
        raise InvalidInput(f"the {kind} {name_of(function)} must be a function of {shown}")
    try:
        inspect.signature(function).bind(*names, **more)
    except ValueError:  # a builtin without a signature
        return
    except TypeError as error:
        raise InvalidInput(f"the {kind} {name_of(function)} must be a function of {shown}: {error}") from error


def _require_list(given: object, name: str) -> None:
    if not isinstance(given, list | tuple):
        raise InvalidInput(f"{name} must be a list, not {name_of(given)}: write {name}=[...]")


def _extensions(kind: str, given: Sequence[BaseTool | Callable[..., Any]], seconds: float) -> tuple[Extension, ...]:
    """Extensions with different titles, since a note names the one that failed."""
    seen: Counter[str] = Counter()
    made = []
    for each in given:
        extension = Extension(kind, each, seconds)
        seen[extension.title] += 1
        if seen[extension.title] > 1:
            extension.title += f" ({seen[extension.title]})"
        made.append(extension)
    return tuple(made)


def require_schemas(state: type[Any], asked: type[Any], answer: type[Any]) -> None:
    """Check the caller's own schemas.

    Raises:
        InvalidInput: the state lacks keys of ours, the input the question, or the state a key of the output.
    """
    for name, schema in (("state_schema", state), ("input_schema", asked), ("output_schema", answer)):
        if not isinstance(schema, type):
            raise InvalidInput(f"{name} must be a class, such as a TypedDict, not {schema!r:.100}")
    kept, given, shown = (_keys(schema) for schema in (state, asked, answer))
    if missing := sorted(set(State.__annotations__) - kept):
        raise InvalidInput(f"state_schema lacks {', '.join(missing)}: derive it, class MyState(route_sql.State)")
    if missing := sorted({"question", "database"} - given):
        raise InvalidInput(f"input_schema lacks {', '.join(missing)}: derive it, class MyQuestion(route_sql.Question)")
    if unknown := sorted((given | shown) - kept):
        raise InvalidInput(f"state_schema lacks keys of the input or output, which are {', '.join(unknown)}: add them")


def _keys(schema: type[Any]) -> set[str]:
    return set(get_type_hints(schema))
