"""`route-sql chat`: question after question on one thread, with one start of the model."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer

from route_sql.commands.options import (
    CalibrationFile,
    Db,
    MaxTokens,
    MinConfidence,
    Model,
    StrategyName,
    Withhold,
    Without,
    chosen,
)
from route_sql.narration import Narrator, narrator
from route_sql.opening import OpenedDatabase
from route_sql.printing import complain, console, print_answer, say
from route_sql.progress import download_progress
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.terminal import escaped

HELP = """A question may refer to the one before, such as: And by month?
/new    begin a new thread: nothing that was asked before is known
/help   these lines
/quit   leave; so does Ctrl-D"""
CHOICE = "Run it? [y]es, [n]o, [e]dit: "
READING = "A number, or what you mean in your own words: "
LEFT = "the question is still unclear, so it was left; ask it again in other words"


def chat(
    db: Db,
    model: Model = None,
    calibration: CalibrationFile = None,
    strategy: StrategyName = "adaptive",
    without: Without = None,
    max_tokens: MaxTokens = None,
    withhold: Withhold = True,
    min_confidence: MinConfidence = 0.0,
    approve: Annotated[bool, typer.Option("--approve", help="Show each query and ask before it runs.")] = False,
    follow_up: Annotated[
        bool, typer.Option("--follow-up/--no-follow-up", help="Read a question together with the one it refers to.")
    ] = True,
    clarify: Annotated[
        bool, typer.Option("--clarify", help="Ask back where the question can be read in several ways.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Ask a database question after question; the model is started once. /help lists the commands."""
    choices = chosen(strategy, without, max_tokens, withhold=withhold, min_confidence=min_confidence)
    context = replace(choices, approve=approve, follow_up=follow_up, clarify=clarify)
    with download_progress() as progress, narrator(is_quiet=quiet) as narrating:
        with OpenedDatabase(
            db, model, context, narrating.wait_for_bar(progress), tell=narrating.tell, calibration=calibration
        ) as database:
            narrating.stop()
            if sys.stdin.isatty():
                say(f"Ask about {database.name}. /help lists the commands.")
            for line in _lines(database.name):
                if line == "/quit":
                    break
                _answer(line, database, narrating)


def _lines(name: str) -> Iterator[str]:
    """The lines that a person types; blank ones are skipped."""
    while (line := _typed(f"{escaped(name)}> ")) is not None:
        if line.strip():
            yield line.strip()


def _answer(line: str, database: OpenedDatabase, narrating: Narrator) -> None:
    if line == "/new":
        database.new_thread()
    elif line.startswith("/"):
        say(HELP)
    else:
        _ask(line, database, narrating)


def _ask(question: str, database: OpenedDatabase, narrating: Narrator) -> None:
    """Ask and print. A question that can't be answered, or is stopped by Ctrl-C, does not end the chat."""

    def decide(value: dict[str, Any]) -> dict[str, str]:
        narrating.stop()
        return _clarified(value) if "clarify" in value else _decide(value)

    try:
        answer = database.ask(question, decide=decide)
        narrating.stop()
        print_answer(console(), answer)
    except RouteError as error:
        complain(f"error: {error}")
    except KeyboardInterrupt:
        complain("stopped", style="yellow")
    finally:
        narrating.stop()


def _decide(query: dict[str, Any]) -> dict[str, str]:
    """A person's decision on a query; an unclear answer is asked again, and the end of the input rejects."""
    say(str(query["approve"]))
    while (typed := _typed(CHOICE)) is not None:
        match typed.strip().lower():
            case "y" | "yes":
                return {"type": "approve"}
            case "n" | "no":
                break
            case "e" | "edit":
                sql = (_typed("SQL: ") or "").strip()
                return {"type": "edit", "sql": sql} if sql else {"type": "reject"}
    return {"type": "reject"}


def _clarified(value: dict[str, Any]) -> dict[str, str]:
    """A person's reading of the question: the number of one in the list, or the meaning in own words.

    Raises:
        InvalidInput: the input ends, or a command is typed in place of an answer.
    """
    readings = [str(reading) for reading in value["readings"]]
    say(str(value["clarify"]))
    for number, reading in enumerate(readings, 1):
        say(f"{number}. {reading}")
    while (typed := _typed(READING)) is not None and not typed.strip().startswith("/"):
        said = typed.strip()
        if said in (numbers := [str(number) for number in range(1, len(readings) + 1)]):
            return {"reading": readings[numbers.index(said)]}
        if said in readings:
            return {"reading": said}
        if said and not said.isdigit():
            return {"evidence": said}
    raise InvalidInput(LEFT)


def _typed(prompt: str) -> str | None:
    """One line of the input; None at its end. There is a prompt only where a person can read it."""
    if sys.stdin.isatty():
        try:
            return input(prompt)
        except EOFError:
            say("")
            return None
    return line if (line := sys.stdin.readline()) else None
