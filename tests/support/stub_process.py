"""A scripted chat server in a process of its own, which can be killed and started again at the same address."""

import subprocess
import sys
import time
from pathlib import Path

from support.chat_stub import ChatStub, completion, models
from support.server_processes import free_port


class StubProcess:
    """Answers every request with the same text, after some seconds."""

    def __init__(self, text: str, seconds: float = 0.0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.shown = f"127.0.0.1:{self.port}"
        self._given = [str(self.port), text, str(seconds)]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "support.stub_process", *self._given]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def main(port: str, text: str, seconds: str) -> None:
    stub = ChatStub(int(port), completion(text, float(seconds)))
    stub.models.append(models("route-sql"))
    print("ready", flush=True)
    time.sleep(600)  # a test that forgets it doesn't leave it for ever
    stub.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
