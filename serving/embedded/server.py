"""The embedded server: llama.cpp's own HTTP server on loopback, in a child process that can't outlive us."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.client.served_model import served_name
from route_sql.serving.embedded.machine import preflight, thread_counts
from route_sql.serving.errors import ServerUnavailable
from route_sql.serving.profile import PromptWording
from route_sql.serving.store.model_store import ModelFile, default_cache

START_SECONDS = 180.0
_LOG_TAIL = 2_000
_LOG_DAYS = 7
# Threads wait for each other at every layer. The default spin is long: on a busy machine decoding then runs at a
# twentieth of its speed. This short spin keeps most of the speed of an idle machine. It is set in the environment of
# the child, since the OpenMP library reads it when it is loaded.
_OPENMP = {"GOMP_SPINCOUNT": "1000"}


class EmbeddedServer:
    """A model server of our own, as a context manager, async or not, or by `start` and `stop`.

    It listens on a random free port of the loopback and requires a random key. Requests beyond the profile's
    slots wait in line; `chat_model` gives a client whose timeouts don't count that wait.
    """

    program: ClassVar[tuple[str, ...]] = ("-m", "route_sql.serving.embedded.child")
    """The arguments of Python that start the child process."""

    def __init__(
        self,
        model_file: ModelFile,
        *,
        port: int = 0,
        api_key: str | None = None,
        log_dir: Path | None = None,
        start_seconds: float = START_SECONDS,
        openmp: Mapping[str, str] = _OPENMP,
    ) -> None:
        """Prepare the server; `start` starts it.

        Args:
            model_file: from `ModelStore.resolve`.
            port: 0 takes a free one.
            api_key: None makes a random one.
            log_dir: the folder of the server's log while it runs; None is the user's cache.
            start_seconds: Seconds that loading may take.
            openmp: environment variables added for the child; see `OMP_WAIT_POLICY`, `GOMP_SPINCOUNT`.
        """
        self.model_file = model_file
        self.api_key = api_key or secrets.token_urlsafe(24)
        self.model = model_file.name
        self.url = ""
        self._port = port
        self._log_dir = log_dir or default_cache().parent / "logs"
        self._start_seconds = start_seconds
        self._openmp = dict(openmp)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        self._stopped = False

    @property
    def wording(self) -> PromptWording:
        """The wording that the model was made for."""
        return self.model_file.profile.wording

    @property
    def served_name(self) -> str:
        """The model's name in `/v1/models`, which tells the wording to clients that have only the URL."""
        return served_name(self.model, self.model_file.profile)

    @property
    def pid(self) -> int | None:
        """The child process's id; None when it was not started."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        """Whether the child process runs."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Load the model and serve; takes seconds.

        Raises:
            RuntimeMissing: this machine can't run it, or the file can't be used; the message says why.
            ServerUnavailable: the process ended or took too long, with the end of its log.
        """
        preflight(self.model_file)
        child = self._spawn()
        timer = threading.Timer(self._start_seconds, child.kill)
        timer.start()
        try:
            assert child.stdout is not None
            announced = child.stdout.readline()  # empty when the child ended, or was stopped
        finally:
            timer.cancel()
        if not announced:
            raise ServerUnavailable(self._why_not_started())
        self.url = json.loads(announced)["url"]

    def stop(self) -> None:
        """End the child process; a second call does nothing."""
        with self._lock:
            self._stopped = True
            child = self._child
        if child is None:
            return
        crashed = child.poll() is not None
        if not self.url:
            child.kill()  # while it loads, it watches no pipe, and `start` holds the one that is closed here
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            child.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if self._log is not None and not crashed:  # the log of a crash is kept
            self._log.unlink(missing_ok=True)

    def log_tail(self) -> str:
        """The end of the server's log."""
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_bytes()[-_LOG_TAIL:].decode(errors="replace").strip()

    def chat_model(self, **settings: Any) -> ChatTGI:
        """A chat model on this server; `settings` are those of `ChatTGI` and override our defaults."""
        profile = self.model_file.profile
        suited: dict[str, Any] = {
            "base_url": self.url,
            "api_key": self.api_key,
            "model": self.served_name,
            "temperature": profile.temperature,
            "wording": profile.wording,
            "calibration": profile.calibration,
            "concurrency": profile.slots,
            # It refuses more requests than it has slots.
            "most_completions": profile.slots,
            # No answer of the four tasks is longer, and a small model that repeats itself costs a minute otherwise.
            "max_tokens": 256,
            # A cold prompt of 8000 tokens takes minutes on two busy cores.
            "timeout": 600.0,
            "budget": 900.0,
            # It is our own process: if it is gone, it won't come back.
            "max_retries": 2,
        }
        return ChatTGI(**(suited | settings))

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:  # Ctrl-C too: `__exit__` is not called after it, and the child would live on
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Start, without blocking the event loop; cancelling it stops the child."""
        try:
            await asyncio.to_thread(self.start)
        except BaseException:  # a cancelled start too, for the same reason
            await asyncio.shield(asyncio.to_thread(self.stop))
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await asyncio.shield(asyncio.to_thread(self.stop))

    def _spawn(self) -> subprocess.Popen[bytes]:
        decode, batch = thread_counts(self.model_file.profile)
        settings = asdict(self.model_file.profile) | {"threads": decode, "threads_batch": batch}
        settings |= {"path": str(self.model_file.path), "model": self.served_name}
        settings |= {"api_key": self.api_key, "port": self._port}
        with self._lock, open(self._new_log(), "wb") as output:
            if self._stopped:
                raise ServerUnavailable("The embedded server was stopped before it had started.")
            self._child = subprocess.Popen(
                [sys.executable, *self.program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env={**os.environ, **self._openmp},
            )
        # On stdin, where no list of processes shows the key.
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(settings).encode() + b"\n")
        self._child.stdin.flush()
        return self._child

    def _new_log(self) -> int:
        """An open file for the log of the child, as its descriptor."""
        self._log_dir.mkdir(parents=True, exist_ok=True)
        _remove_old_logs(self._log_dir)
        descriptor, log = tempfile.mkstemp(prefix="embedded-", suffix=".log", dir=self._log_dir)
        self._log = Path(log)
        return descriptor

    def _why_not_started(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        tail = self.log_tail()
        return (
            f"The embedded server did not start (exit code {code}, at most {self._start_seconds:.0f} s). "
            f"Its log ends:\n{tail or '(empty)'}"
        )


def _remove_old_logs(folder: Path) -> None:
    """Remove logs of crashes that are older than a week."""
    for log in folder.glob("embedded-*.log"):
        if log.stat().st_mtime < time.time() - _LOG_DAYS * 86_400:
            log.unlink(missing_ok=True)
