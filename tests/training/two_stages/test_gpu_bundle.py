"""The example that packs a run for a machine without a network: all that it carries but wheels, which pip fetches."""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import pytest

from route_sql.training.two_stages.plan import load_plan

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "gpu_without_network"


@pytest.fixture(scope="module")
def bundle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", EXAMPLE / "bundle.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def arguments(tmp_path: Path, rows_folder: Path) -> Namespace:
    for name in ("shop", "never_asked"):
        (tmp_path / "databases" / name).mkdir(parents=True)
        with sqlite3.connect(tmp_path / "databases" / name / f"{name}.sqlite") as connection:
            connection.execute("CREATE TABLE thing (id INTEGER)")
        connection.close()
    questions = tmp_path / "train.json"
    questions.write_text(
        json.dumps([{"db_id": "shop", "question": "How many?", "query": "SELECT count(*) FROM thing"}])
    )
    rows, plan = [rows_folder, rows_folder], Path("two-stages-0.5b")
    return Namespace(questions=questions, databases=tmp_path / "databases", rows=rows, plan=plan)


def test_parts_hold_every_file_and_no_more_than_can_be_carried(bundle: ModuleType, tmp_path: Path) -> None:
    sizes = {"code.tar.xz": 10, "a.whl": 70, "b.whl": 30, "m.gguf.part-00": 100, "m.gguf.part-01": 5, "run.sh": 1}
    (tmp_path / "together").mkdir()
    for name, size in sizes.items():
        (tmp_path / "together" / name).write_bytes(b"x" * size)
    parts = bundle.in_parts(tmp_path / "together", tmp_path, 100)
    carried = [sorted(file.name for file in part.iterdir()) for part in parts]
    assert sorted(name for part in carried for name in part) == sorted(sizes)
    assert carried[0] == ["a.whl", "code.tar.xz", "run.sh"] and carried[-1] == ["m.gguf.part-01"]
    assert all(sum(sizes[name] for name in part) <= 100 for part in carried)


def test_the_data_are_what_start_looks_for(
    bundle: ModuleType, arguments: Namespace, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundle.write_data(tmp_path, arguments, tiny_gguf)
    with tarfile.open(tmp_path / "data.tar.xz") as packed:
        packed.extractall(tmp_path / "there", filter="data")
    data = tmp_path / "there" / "data"
    assert [path.name for path in (data / "databases").iterdir()] == ["shop"]
    plan = load_plan(data / "plan.yaml")
    monkeypatch.chdir(tmp_path / "there")
    carried = [plan.questions, plan.databases, Path(plan.sft.tokenizer or ""), *plan.sft.folders]
    assert len(carried) == 5 and all(path.exists() for path in carried)
    assert (plan.sft.base, plan.pieces) == (f"base/{tiny_gguf.name}", Path("carried"))
    assert "data/plan.yaml" in (EXAMPLE / "start.sh").read_text()


def test_the_larger_base_has_a_plan_of_one_stage(bundle: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(bundle.plan_text(Path("one-stage-1.5b"), "large.gguf", 3))
    plan = load_plan(tmp_path / "plan.yaml")
    assert (plan.stages, plan.sft.base, len(plan.sft.folders)) == (1, "base/large.gguf", 3)


def test_the_code_is_unpacked_to_where_it_runs_without_the_shipped_adapter(bundle: ModuleType, tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    carried.mkdir()
    bundle.write_code(carried)
    env = {**os.environ, "WORK": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    shutil.which("tar") or pytest.skip("tar is missing")
    said = subprocess.run(["bash", carried / "install.sh", "code"], env=env, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("torch ")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "route_sql", "train", "two-stages", "--help"]
    there = {**env, "PYTHONPATH": str(site)}
    subprocess.run(command, env=there, cwd=tmp_path, check=True, capture_output=True)
    assert (site / "tiny_model.py").is_file() and not (site / "route_sql" / "serving" / "adapters").exists()


def test_every_wheel_has_a_version_that_was_tested() -> None:

    lines = (EXAMPLE.parents[1] / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    named = [line.lower() for line in (EXAMPLE / "wheels.txt").read_text().splitlines() if not line.startswith("#")]
    assert named and [name for name in named if name.replace("_", "-") not in pinned] == []
