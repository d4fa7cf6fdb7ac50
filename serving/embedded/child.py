"""The embedded server's process: `python -m route_sql.serving.embedded.child`, started by `EmbeddedServer`.

The first line on stdin is the settings; the one line on stdout is the server's address. When stdin closes, or
the parent is gone, the process ends at once, so that nothing is left behind however the parent died.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1


def main(change: Callable[[Any], None] | None = None) -> NoReturn:
    """Serve until the parent is gone; `change` may change the runtime's settings first, to measure others."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    _end_with_parent(signal.SIGKILL)
    settings = json.loads(sys.stdin.buffer.readline())
    # The runtime logs to stdout too, which must stay clean for the address.
    announce = os.dup(1)
    os.dup2(2, 1)
    server = _serve(settings, change)
    # The kernel's signal follows the parent's thread, not its process: it has served while the constructor held the
    # interpreter's lock. That thread may end as soon as it has the address, and would then end the server.
    _end_with_parent(0)
    os.write(announce, json.dumps({"url": server.listening_address}).encode() + b"\n")
    os.close(announce)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    # A forked copy of the parent may hold the other end of stdin open, so its closing is not enough.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _serve(settings: dict[str, Any], change: Callable[[Any], None] | None) -> Any:
    import xllamacpp  # not before the signals are set and stdout is clean

    params = xllamacpp.CommonParams()
    params.model.path = settings["path"]
    # The context is divided among the slots.
    params.n_ctx = settings["context"] * settings["slots"]
    params.n_parallel = settings["slots"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads_batch"]
    params.cache_ram_mib = settings["cache_ram_mib"]
    params.no_extra_bufts = settings["no_extra_bufts"]
    params.api_keys = [settings["api_key"]]
    params.model_alias = {settings["model"]}
    params.port = settings["port"]
    params.fit_params = False  # a context that shrinks silently is worse than an error
    params.offline = True
    params.ui = False
    params.endpoint_metrics = True  # Prometheus text at /metrics, which wants the key
    if settings["adapter"] is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(settings["adapter"], settings["adapter_scale"])]
    if change:
        change(params)
    return xllamacpp.Server(params)


def _end_with_parent(signal_number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
