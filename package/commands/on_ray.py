"""`--ray`: the shards of a command as tasks of a Ray cluster, merged into what one machine would have written."""

import io
import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

import typer

from route_sql.exit_codes import run_app
from route_sql.tools.errors import InvalidInput, RouteError
from route_sql.tools.files import write_whole, written_whole
from route_sql.training.datasets.shards import Shard

MISSING = "--ray needs Ray: pip install 'route-sql[ray]', here and on each machine of the cluster"
TRIES = 5
"""Further tries of a shard whose worker or machine died."""
REACHABLE_SECONDS = 10.0
"""Seconds within which the cluster's address must take a connection."""
OWN = ("out", "ray", "parts", "shard", "baseline", "as_json")
"""Options that are the driver's."""
NO_MATTER = ("concurrency",)
"""Options that change no answer, so that shards of another value are reused."""
COMMAND = "command.json"
"""The file next to the shards that holds the command they belong to."""
PART = "part"
"""The file or folder that a shard writes, in a folder of its own."""
_SHARD_FOLDER = re.compile(r"\d+-of-(\d+)")
T = TypeVar("T")


@dataclass(frozen=True)
class ShardedCommand(Generic[T]):
    """A command with `--shard` and `--out`, and how the parts become one."""

    run: Callable[..., None]
    """The function of the command, whose options are its arguments."""
    check: Callable[[Path], object]
    """Raises `error` unless a shard is complete."""
    merge: Callable[[Sequence[Path], Path], T]
    """Merges what the shards wrote, in their order, and writes the whole."""
    error: type[RouteError]
    """Raised where a shard can't be made."""


@dataclass(frozen=True)
class ShardResult:
    """Files and messages of a worker."""

    files: dict[str, bytes]
    """By their place in the shard's folder."""
    said: str
    """Its messages, for a shard that failed."""


def run_on_ray(
    command: ShardedCommand[T], address: str, options: Mapping[str, Any], out: Path, parts: int | None = None
) -> T:
    """Run a command on a cluster and write what one machine would have written.

    Shards that have come back lie in a folder next to `out` until it is whole, so that the same command resumes.

    Args:
        command: The command.
        address: The cluster's, such as `auto` or `ray://HOST:10001`.
        options: The command's options, by the names of its arguments; paths lead to the same files on each machine.
        out: Where the whole goes.
        parts: The number of shards; None for one a processor of the cluster.

    Raises:
        InvalidInput: Ray is missing, or there is no such cluster.
        RouteError: a shard can't be made, `out` exists, or its folder has shards of another command; it is raised as
            the command's error.
    """
    if out.exists():
        raise command.error(f"{out} exists already; choose another name")
    folder = out.with_name(f"{out.name}.shards")
    with _connected(address) as ray:
        count = _count(folder) or parts or max(1, int(ray.cluster_resources().get("CPU", 1)))
        _keep_command(command, options, folder)
        places = {Shard(number, count): folder / f"{number}-of-{count}" for number in range(1, count + 1)}
        _make(ray, command, _written(options, command.run), places)
    whole = command.merge([place / PART for place in places.values()], out)
    shutil.rmtree(folder)
    return whole


def run_shard(run: Callable[..., None], words: list[str], shard: str) -> ShardResult:
    """Run the command on one shard, in the worker itself: a worker that is killed leaves no process that works on."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(run)
    said = io.StringIO()
    with TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with redirect_stderr(said):
                run_app(app, [*words, "--shard", shard, "--out", str(folder / PART)])
        except SystemExit:
            pass  # what it wrote says whether the shard is whole: a run with wrong databases ends with 1 too
        written = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock" != path.name)
        files = {str(path.relative_to(folder)): path.read_bytes() for path in written}
    return ShardResult(files, said.getvalue())


def _check_listening(address: str) -> None:
    """Raise OSError if nothing listens at a host and port: there Ray itself would wait without end."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), REACHABLE_SECONDS).close()


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise InvalidInput(MISSING) from error
    try:
        _check_listening(address)
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"there is no Ray cluster at {address}: start one by `ray start --head`") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _count(folder: Path) -> int | None:
    """The number of shards of a run that is resumed."""
    known = {int(match[1]) for each in folder.glob("*") if (match := _SHARD_FOLDER.fullmatch(each.name))}
    return known.pop() if known else None


def _keep_command(command: ShardedCommand[T], options: Mapping[str, Any], folder: Path) -> None:
    """Keep the command in the folder of its shards.

    Raises:
        RouteError: the folder has shards of another one, or does not say of which; it is raised as the command's error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / COMMAND
    words = json.dumps([command.run.__name__, *_written({**options, **dict.fromkeys(NO_MATTER)}, command.run)])
    if _count(folder) is None:
        write_whole(file, words)
    elif not file.is_file() or file.read_text(encoding="utf-8") != words:
        raise command.error(
            f"{folder} has shards of another command ({file} has its options): run that one again, choose another "
            "--out, or delete the folder"
        )


def _make(ray: Any, command: ShardedCommand[T], words: list[str], places: Mapping[Shard, Path]) -> None:
    """Make each shard that is not there yet, and keep each as it comes.

    Raises:
        RouteError: one can't be made; it is raised as the command's error.
    """
    task = ray.remote(num_cpus=1, max_retries=TRIES)(run_shard)
    left = {task.remote(command.run, words, str(shard)): shard for shard, place in places.items() if not place.exists()}
    while left:
        (ended,), _ = ray.wait([*left], num_returns=1)
        shard = left.pop(ended)
        try:
            result = ray.get(ended)
        except ray.exceptions.RayError as error:
            said = str(error).strip().rpartition("\n")[2][:300]
            raise command.error(f"shard {shard} can't be made on the cluster: {said}") from error
        _keep(command, result, places[shard])


def _keep(command: ShardedCommand[T], result: ShardResult, place: Path) -> None:
    with written_whole(place) as draft:
        for name, content in result.files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            (draft / name).write_bytes(content)
        try:
            command.check(draft / PART)
        except command.error as error:
            said = " ".join(result.said.split())[-500:] or str(error)
            raise command.error(f"shard {place.name.replace('-of-', '/')} can't be made: {said}") from error


def _written(options: Mapping[str, Any], run: Callable[..., None]) -> list[str]:
    """The options that are not the command's defaults, as words of a command line, with whole paths."""
    words: list[str] = []
    for name, default in ((each.name, each.default) for each in signature(run).parameters.values()):
        value = options.get(name)
        if name in OWN or value is None or value == default:
            continue
        option = name.replace("_", "-")
        for each in value if isinstance(value, list | tuple) else [value]:
            words += _words(option, each)
    return words


def _words(option: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    return [f"--{option}", str(value.resolve() if isinstance(value, Path) else value)]
