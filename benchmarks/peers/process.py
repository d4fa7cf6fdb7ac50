"""The process of a peer: asked one question at a time, stopped when it takes too long, started again when it ended."""

import json
import os
import select
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

START_SECONDS = 600.0
"""Libraries are large, and a busy machine reads them slowly."""
_QUIET = {
    # Nothing leaves this machine: no tracing, and a proxy that is not there for every other address.
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "OPENAI_API_KEY": "none",
}


class PeerProcess:
    """A driver in the environment of its peer."""

    def __init__(self, python: Path, driver: Path, settings: Mapping[str, str]) -> None:
        """Prepare; the first question starts it. Its working folder is its own, `folder`."""
        self.folder = Path(tempfile.mkdtemp(prefix="peer-"))
        self._command = [str(python), str(driver)]
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "stderr.log"

    def ask(self, question: str, database: Path, seconds: float) -> dict[str, Any]:
        """Ask; a peer that does not answer in time is stopped.

        Raises:
            RuntimeError: it does not start.
        """
        process = self._started()
        self._send(process, {"question": question, "database": str(database)})
        line = _line(process, seconds)
        if line is not None and line.strip():
            return dict(json.loads(line))
        self.stop()
        why = f"no answer within {seconds:.0f} s" if line is None else f"it ended: {self._last_words()}"
        return {"sql": None, "text": "", "error": why, "late": line is None}

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
        self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self.folder,
                    env={**os.environ, **_QUIET},
                )
            self._send(self._process, self._settings)
            if not (_line(self._process, START_SECONDS) or b"").strip():
                self.stop()
                raise RuntimeError(f"{self._command[1]} does not start: {self._last_words()}")
        return self._process

    def _last_words(self) -> str:
        return self._log.read_bytes()[-1500:].decode(errors="replace").strip()

    @staticmethod
    def _send(process: subprocess.Popen[bytes], message: Mapping[str, object]) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, as the reply that does not come will say
            process.stdin.write(json.dumps(message).encode() + b"\n")
            process.stdin.flush()


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
    """The next line, empty at the end of the stream; None if it does not come in time."""
    assert process.stdout is not None
    descriptor, read, end = process.stdout.fileno(), b"", monotonic() + seconds
    while not read.endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, end - monotonic()))[0]:
            return None
        part = os.read(descriptor, 65_536)
        if not part:
            return b""
        read += part
    return read
