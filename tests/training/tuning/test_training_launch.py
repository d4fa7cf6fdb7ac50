"""The command, in one process and in two: real processes, started as a user starts them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from safetensors.numpy import load_file

from route_sql.training.tuning.config import LoRA, SFTRun
from route_sql.training.tuning.loss_log import read_losses
from route_sql.training.tuning.sft import fine_tune

MakeRun = Callable[..., SFTRun]
TWO_PROCESSES = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
TWO_PROCESSES += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
COMMAND = ["-m", "route_sql", "train", "sft"]


def write_config(run: SFTRun, file: Path) -> Path:
    file.write_text(yaml.safe_dump(asdict(run), sort_keys=False))
    return file


def started(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=250)


def test_two_processes_train_what_one_does(make_run: MakeRun, tmp_path: Path) -> None:
    # What two processes take at once, one takes in a batch of two.
    run = make_run(lora=LoRA(rank=4, alpha=8, dropout=0), max_steps=4, out=str(tmp_path / "two"))
    config = write_config(run, tmp_path / "two.yaml")
    ended = started([*TWO_PROCESSES, *COMMAND, "--config", str(config)])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [str(tmp_path / "two" / "final")]
    assert yaml.safe_load((tmp_path / "two" / "run.yaml").read_text())["settings"]["processes"] == 2
    assert {file.name for file in (tmp_path / "two" / "checkpoint-4").glob("rng_state*")} == {
        "rng_state_0.pth",
        "rng_state_1.pth",
    }
    fine_tune(replace(run, batch=2, out=str(tmp_path / "one")))
    two, one = (read_losses(tmp_path / name / "losses.csv") for name in ("two", "one"))
    assert [line["step"] for line in two] == [1, 2, 3, 4]
    assert [line["loss"] for line in two] == pytest.approx([line["loss"] for line in one], abs=1e-4)
    weights = [load_file(tmp_path / name / "final" / "adapter_model.safetensors") for name in ("two", "one")]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        assert tensor == pytest.approx(weights[1][name], abs=1e-3)


def test_prompt_trees_in_two_processes_are_refused_before_the_base_is_read(make_run: MakeRun, tmp_path: Path) -> None:
    no_model = tmp_path / "base"
    no_model.mkdir()
    (no_model / "config.json").write_text("{}")
    run = make_run(lora=LoRA(rank=4, alpha=8, dropout=0), packing="trees", base=str(no_model))
    config = write_config(run, tmp_path / "run.yaml")
    ended = started([*TWO_PROCESSES, *COMMAND, "--config", str(config)])
    assert ended.returncode == 1, ended.stderr
    assert "error: packing as trees is for one process; set packing: true for several" in ended.stderr


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    """Where the libraries believe the hub to be; it fails the test if it is asked for anything."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    assert not asked


def test_the_command_asks_no_hub_and_says_how_far_it_is(
    make_run: MakeRun, tmp_path: Path, hub: ThreadingHTTPServer
) -> None:
    run = make_run(max_steps=2, base="elsewhere", out="elsewhere")
    config = write_config(run, tmp_path / "run.yaml")
    out = tmp_path / "here"
    options = ["--config", str(config), "--base", make_run().base, "--out", str(out)]
    ended = started([*COMMAND, *options], HF_HUB_OFFLINE="", HF_ENDPOINT=f"http://127.0.0.1:{hub.server_port}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == [str(out / "final")]
    assert "step 2: loss" in ended.stderr and "2/2" in ended.stderr
    refused = started([*COMMAND, *options, "--data", str(tmp_path)])
    assert refused.returncode == 2
    assert refused.stderr.strip().startswith("error: there are no rows in")


def test_two_runs_in_one_folder(make_run: MakeRun, tmp_path: Path) -> None:
    from filelock import FileLock

    run = make_run()
    Path(run.out).mkdir()
    with FileLock(str(Path(run.out) / ".lock")):
        ended = started([*COMMAND, "--config", str(write_config(run, tmp_path / "run.yaml"))])
    assert ended.returncode == 2
    assert "another process is writing" in ended.stderr
