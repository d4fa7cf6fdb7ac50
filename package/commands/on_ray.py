"""`eval --ray`: the shards of an evaluation as tasks of a Ray cluster, merged into one run."""

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from route_sql.tools.errors import InvalidInput
from route_sql.tools.files import write_whole
from route_sql.training.datasets.shards import Shard
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.merging import merge_shards
from route_sql.training.evaluation.run_log import Line, meta_path

MISSING = "eval --ray needs Ray: pip install 'route-sql[ray]', here and on each machine of the cluster"
TRIES = 5
"""Further tries of a shard whose worker or machine died."""
OWN = ("out", "ray", "parts", "shard", "baseline", "as_json")
"""Options that are the driver's."""
_SHARD_FILE = re.compile(r"\d+-of-(\d+)\.jsonl")


@dataclass(frozen=True)
class ShardResult:
    """Files that a worker has written."""

    lines: bytes
    meta: str
    said: str
    """Its messages, for a shard that failed."""


def evaluate_on_ray(address: str, options: Mapping[str, Any], out: Path, parts: int | None = None) -> list[Line]:
    """Ask the questions on a cluster and write the run that one machine would have written.

    Shards that have come back lie in a folder next to the run until it is whole, so that the same command resumes.

    Args:
        address: The cluster's, such as `auto` or `ray://HOST:10001`.
        options: The options of `eval`, by their names in `evaluate`; paths must lead to the same files on each machine.
        out: Where the lines of the run go.
        parts: The number of shards; None for one a processor of the cluster.

    Raises:
        InvalidInput: Ray is missing, or there is no such cluster.
        EvaluationError: a shard can't be asked, or the run exists.
    """
    if out.exists():
        raise EvaluationError(f"{out} exists already; name another file")
    folder = out.with_name(f"{out.name}.shards")
    with _connected(address) as ray:
        count = _count(folder) or parts or max(1, int(ray.cluster_resources().get("CPU", 1)))
        folder.mkdir(parents=True, exist_ok=True)
        _ask(ray, _command(options), folder, count)
    lines = merge_shards([folder / f"{number}-of-{count}.jsonl" for number in range(1, count + 1)], out)
    shutil.rmtree(folder)
    return lines


def evaluate_shard(command: list[str], shard: str) -> ShardResult:
    """Run `eval` on one shard, in the worker itself: a worker that is killed leaves no process that still asks."""
    from route_sql.cli import main  # the command line imports this file

    said = io.StringIO()
    with TemporaryDirectory() as folder:
        out = Path(folder) / "shard.jsonl"
        try:
            with redirect_stderr(said):
                main(["eval", *command, "--shard", shard, "--out", str(out)])
        except SystemExit:
            pass
        meta = meta_path(out)
        lines = out.read_bytes() if out.exists() else b""
        return ShardResult(lines, meta.read_text() if meta.exists() else "", said.getvalue())


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise InvalidInput(MISSING) from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InvalidInput(f"there is no Ray cluster at {address}: start one by `ray start --head`") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _count(folder: Path) -> int | None:
    """The number of shards of a run that is resumed."""
    known = {int(match[1]) for each in folder.glob("*") if (match := _SHARD_FILE.fullmatch(each.name))}
    return known.pop() if known else None


def _ask(ray: Any, command: list[str], folder: Path, count: int) -> None:
    """Ask each shard that is not there yet, and keep each as it comes.

    Raises:
        EvaluationError: one can't be asked.
    """
    task = ray.remote(num_cpus=1, max_retries=TRIES)(evaluate_shard)
    files = {Shard(number, count): folder / f"{number}-of-{count}.jsonl" for number in range(1, count + 1)}
    left = {task.remote(command, str(shard)): file for shard, file in files.items() if not file.exists()}
    while left:
        (ended,), _ = ray.wait([*left], num_returns=1)
        try:
            result = ray.get(ended)
        except ray.exceptions.RayError as error:
            said = str(error).strip().rpartition("\n")[2][:300]
            raise EvaluationError(f"a shard can't be asked on the cluster: {said}") from error
        _keep(result, left.pop(ended))


def _keep(result: ShardResult, file: Path) -> None:
    if not result.lines or not result.meta:
        said = " ".join(result.said.split())[-500:] or "it wrote nothing"
        raise EvaluationError(f"shard {file.stem.replace('-of-', '/')} can't be asked: {said}")
    write_whole(meta_path(file), result.meta)
    write_whole(file, result.lines.decode())  # last, since a shard whose file is there is not asked again


def _command(options: Mapping[str, Any]) -> list[str]:
    """The options in the form of a command line, with whole paths."""
    command: list[str] = []
    for name, value in options.items():
        if name in OWN or value is None or value is False:
            continue
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list | tuple) else [value]:
            command += [option] if each is True else [option, str(each.resolve() if isinstance(each, Path) else each)]
    return command
