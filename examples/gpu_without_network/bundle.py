"""Pack the files of `route-sql train two-stages` for a machine with a GPU and torch, but no network.

It takes the rows that `route-sql train data` made, and writes folders `part-00`, `part-01`, ... of a size that can be
carried at a time: scripts, code, wheels and data first, then the base in pieces. See README.md next to it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

import route_sql
from route_sql.serving.store.model_store import ModelStore
from route_sql.settings import Settings
from route_sql.training.tuning.base_model import tokenizer_folder
from route_sql.training.tuning.config import read_config
from route_sql.training.tuning.pieces import split_file

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PLATFORMS = ("2_5", "2_17", "2_24", "2_27", "2_28", "2_31", "2_34", "2_35")
"""Versions of glibc that a wheel may ask for; `manylinux1` and `2014` are older names of two."""
NOT_NEEDED = shutil.ignore_patterns("__pycache__", "*.pyc", "adapters")


def main(arguments: argparse.Namespace) -> None:
    """Write the bundle, or only its code and scripts again."""
    first = arguments.out / "part-00"
    if arguments.code_only:
        write_code(first)
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    for old in arguments.out.glob("part-*"):
        shutil.rmtree(old)
    base = ModelStore(Settings().cache).resolve(arguments.base).path
    with tempfile.TemporaryDirectory(dir=arguments.out) as made:
        together = Path(made)
        write_code(together)
        write_data(together, arguments, base)
        fetch_wheels(together, arguments.python)
        split_file(base, together, arguments.size)
        for part in in_parts(together, arguments.out, arguments.size):
            print(f"{part}: {sum(file.stat().st_size for file in part.iterdir()) / 1e6:.1f} MB")


def in_parts(together: Path, out: Path, size: int) -> list[Path]:
    """Move the files into folders of at most `size` bytes each, or of one larger file; what installs comes first."""
    files = sorted(together.iterdir(), key=lambda file: (".part-" in file.name, file.suffix == ".whl", file.name))
    parts: list[Path] = []
    room = 0
    for file in files:
        if file.stat().st_size > room:
            parts.append(out / f"part-{len(parts):02}")
            parts[-1].mkdir()
            room = size
        room -= file.stat().st_size
        file.rename(parts[-1] / file.name)
    return parts


def write_code(out: Path) -> None:
    """The package as it is here, without the adapter of the default model; the rehearsal's tiny model; the scripts."""
    for script in HERE.glob("*.sh"):
        shutil.copy(script, out)
    with tempfile.TemporaryDirectory() as made:
        shutil.copytree(Path(route_sql.__file__).parent, Path(made) / "route_sql", ignore=NOT_NEEDED)
        shutil.copy(ROOT / "tests" / "support" / "tiny_model.py", made)
        pack(Path(made), out / "code.tar.xz")


def write_data(out: Path, arguments: argparse.Namespace, base: Path) -> None:
    """The questions, the databases that they name, the rows, the tokenizer and the plan of the run."""
    with tempfile.TemporaryDirectory() as made:
        data = Path(made) / "data"
        data.mkdir()
        shutil.copy(arguments.questions, data / "questions.json")
        excluded = arguments.questions.with_name("EXCLUDED.json")
        if excluded.is_file():
            shutil.copy(excluded, data)
        asked = json.loads(arguments.questions.read_text(encoding="utf-8"))
        for name in sorted({question["db_id"] for question in asked}):
            (data / "databases" / name).mkdir(parents=True)
            shutil.copy(arguments.databases / name / f"{name}.sqlite", data / "databases" / name)
        for place, rows in enumerate(arguments.rows):
            shutil.copytree(rows, data / f"rows-{place}", ignore=shutil.ignore_patterns(".lock", "progress.json"))
        shutil.copytree(tokenizer_folder(base), data / "tokenizer")
        plan = plan_text(arguments.plan, base.name, len(arguments.rows))
        (data / "plan.yaml").write_text(plan, encoding="utf-8")
        pack(Path(made), out / "data.tar.xz")


def plan_text(name: Path, base: str, sets: int) -> str:
    """A plan with the places of the files on that machine, relative to its working folder."""
    plan = read_config(name)
    plan |= {"questions": "data/questions.json", "databases": "data/databases", "pieces": "carried"}
    rows = [f"data/rows-{place}" for place in range(sets)]
    plan["sft"] |= {"base": f"base/{base}", "tokenizer": "data/tokenizer", "data": rows, "out": "run"}
    return str(yaml.safe_dump(plan, sort_keys=False))


def fetch_wheels(folder: Path, python: str) -> None:
    """The wheels for the Python of that machine, in the versions that the tests have passed with."""
    names = [line for line in (HERE / "wheels.txt").read_text().splitlines() if line and not line.startswith("#")]
    platforms = [f"manylinux_{version}_x86_64" for version in PLATFORMS] + ["manylinux1_x86_64", "manylinux2014_x86_64"]
    options = [word for platform in platforms for word in ("--platform", platform)]
    pins = ["--constraint", str(ROOT / "constraints.txt"), "--python-version", python, "--implementation", "cp"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *pins, *options]
    subprocess.run([*command, "--dest", str(folder), *names], check=True)


def pack(folder: Path, file: Path) -> None:
    """The content of a folder as one file."""
    with tarfile.open(file, "w:xz") as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=Path, help="Of Spider's layout: what the first rows were made from.")
    parser.add_argument("--databases", type=Path, help="Their databases.")
    parser.add_argument("--rows", type=Path, nargs="+", help="Folders of rows; those after the first are only added.")
    parser.add_argument("--base", default="base", help="A name of the store, or a GGUF file.")
    parser.add_argument("--plan", type=Path, default=Path("two-stages-0.5b"), help="The plan: a file, or one of ours.")
    parser.add_argument("--out", type=Path, default=Path("bundle"))
    parser.add_argument("--python", default="3.12", help="The version of Python on that machine.")
    parser.add_argument("--size", type=int, default=60_000_000, help="Bytes that can be carried at a time.")
    parser.add_argument("--code-only", action="store_true", help="Only pack the code and the scripts again.")
    given = parser.parse_args()
    if not given.code_only and not (given.questions and given.databases and given.rows):
        parser.error("--questions, --databases and --rows are needed")
    main(given)
