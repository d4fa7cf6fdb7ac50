"""This machine's cores and memory, and the requirements of the embedded runtime."""

import ctypes
import importlib.util
import os
import platform
import sys
from pathlib import Path

from route_sql.serving.errors import RuntimeMissing
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile

_MOST_DECODING = 8
_MOST_READING = 16
_LIBRARIES = {"libgomp.so.1": "libgomp1", "libstdc++.so.6": "libstdc++6"}


def preflight(model: ModelFile) -> None:
    """Find the reason why the embedded server can't start, since the runtime's own error gives none.

    Raises:
        RuntimeMissing: with what to install or change.
    """
    check_runtime()
    _require_gguf(model.path)
    if model.profile.adapter is not None:
        _require_gguf(Path(model.profile.adapter))
    _require_memory(memory_needed(model.path.stat().st_size, model.profile), memory_available())


def check_runtime() -> None:
    """Check that the runtime can run here, for any model.

    Raises:
        RuntimeMissing: with what to install or change.
    """
    _require_package()
    if sys.platform == "linux":
        _require_libraries()
        _require_avx2(Path("/proc/cpuinfo").read_text())


def thread_counts(profile: Profile) -> tuple[int, int]:
    """Threads to decode and to read the prompt with: all cores, up to where more no longer helps."""
    cores = physical_cores()
    return profile.threads or min(cores, _MOST_DECODING), profile.threads_batch or min(cores, _MOST_READING)


def physical_cores() -> int:
    """Cores that this process may use; two threads of one core count once."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    siblings = {_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or cpu for cpu in usable}
    return min(len(siblings), _quota() or len(siblings))


def _quota() -> int | None:
    """Whole cores that a container's limit allows, at least one; None without a limit."""
    limit, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    return max(1, int(limit) // int(period)) if limit.isdigit() and period.isdigit() else None


def memory_available() -> int | None:
    """Bytes that may still be taken; None where the system doesn't say."""
    info = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines() if ":" in line)
    if "MemAvailable" not in info:
        return None
    free = int(info["MemAvailable"].split()[0]) * 1024
    limit, used = _read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory.current")
    return min(free, max(0, int(limit) - int(used))) if limit.isdigit() and used.isdigit() else free


def memory_needed(file_bytes: int, profile: Profile) -> int:
    """Bytes to start with, estimated from what our models took: weights, buffers, keys and values."""
    weights = file_bytes * (1.05 if profile.no_extra_bufts else 1.45)
    per_token = file_bytes / 32_768  # 15 KB for 0.5 GB, 34 KB for 1.1 GB: a little more than was seen
    return int(weights + per_token * profile.context * profile.slots + 64_000_000)


def _require_package() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise RuntimeMissing(
            "The embedded server is not installed. Install it with `pip install 'route-sql[embedded]'`, "
            "or name the address of a model server."
        )


def _require_libraries() -> None:
    for library, package in _LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError as error:
            raise RuntimeMissing(
                f"The embedded server needs the system library {library}. Install the package {package} "
                f"(`apt-get install {package}`, or your system's like). The loader said: {error}"
            ) from error


def _require_avx2(cpuinfo: str) -> None:
    if platform.machine() in {"x86_64", "AMD64"} and " avx2" not in cpuinfo:
        raise RuntimeMissing(
            "This CPU has no AVX2, which the embedded server's package was built for. "
            "Name the address of a model server on another machine, or build xllamacpp from its source."
        )


def _require_gguf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise RuntimeMissing(f"The model file {path} can't be read: {error}") from error
    if magic != b"GGUF":
        raise RuntimeMissing(
            f"{path} is not a GGUF model: it begins with {magic!r}. "
            "A pointer file or a web page may have been saved in its place; fetch it again."
        )


def _require_memory(needed: int, available: int | None) -> None:
    if available is not None and available < needed:
        raise RuntimeMissing(
            f"It needs about {needed // 1_000_000} MB of memory; {available // 1_000_000} MB are free. "
            "Close something, take a smaller model or context, or name the address of a model server."
        )


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:  # not Linux, or not shown in this container
        return ""
