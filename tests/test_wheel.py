"""The built wheel, made from the built sdist, works in a clean environment outside the checkout.

It needs an index or a folder of wheels that pip is configured with. Without one these tests are skipped, except in
continuous integration, where they fail.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
import venv
import zipfile
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ASK = """
import asyncio
from pathlib import Path
from route_sql import Catalog, Question, build_graph
from route_sql.demo.database import build_demo_database
from route_sql.testing import ScriptedModel

async def ask():
    catalog, name = Catalog.from_url(build_demo_database(Path("clinic.sqlite")))
    model = ScriptedModel(history=[], otherwise=lambda *_: "SELECT COUNT(*) FROM doctor")
    async with catalog:
        question = Question(question="How many doctors are there?", database=name)
        return await build_graph(model, catalog).ainvoke(question)

answer = asyncio.run(ask())
print(answer["status"], answer["rows"])
"""
BUILD_SDIST = "import setuptools.build_meta as build; print(build.build_sdist('dist'))"

pytestmark = pytest.mark.timeout(900)  # a dozen packages are installed


class Environment:
    """A virtual environment of its own, and a folder that is not the checkout's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir(parents=True)
        venv.create(folder / "venv", with_pip=True)
        self.bin = folder / "venv" / "bin"

    def run(self, program: str, *words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        unwanted = ("PYTHON", "VIRTUAL_ENV", "ROUTE_SQL", "COV")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        return subprocess.run(
            [self.bin / program, *map(str, words)],
            cwd=cwd or self.files,
            env=environment,
            capture_output=True,
            text=True,
        )

    def succeed(self, program: str, *words: object, cwd: Path | None = None) -> str:
        done = self.run(program, *words, cwd=cwd)
        assert done.returncode == 0, f"{program} {words}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def install_at(self, end: str, wheel: Path) -> None:
        """Install a wheel and the lowest or the highest versions of its direct requirements."""
        # Only what is named by itself counts as direct, so the requirements are installed before the wheel.
        for words in (["--resolution", end, "--requirements", ROOT / "pyproject.toml"], ["--no-deps", wheel]):
            command = [sys.executable, "-m", "uv", "--quiet", "pip", "install", "--python", self.bin / "python", *words]
            done = subprocess.run([*map(str, command)], cwd=self.files, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    def install(self, *words: object) -> None:
        self.succeed("python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", *words)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with what pyproject.toml builds with."""
    environment = Environment(tmp_path_factory.mktemp("builder"))
    wanted = ["wheel", *PYPROJECT["build-system"]["requires"]]
    done = environment.run("python", "-m", "pip", "install", "--quiet", "--retries", "1", *wanted)
    if done.returncode != 0 and not os.environ.get("CI"):
        pytest.skip("pip reaches no index that has setuptools")
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture(scope="module")
def sdist(builder: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, built from a copy: building writes into the tree."""
    tree = tmp_path_factory.mktemp("sdist") / "tree"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tree / name)
    name = builder.succeed("python", "-c", BUILD_SDIST, cwd=tree).splitlines()[-1]
    return tree / "dist" / name


@pytest.fixture(scope="module")
def wheel(builder: Environment, sdist: Path) -> Path:
    """The wheel, built from the source archive alone."""
    pip = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    builder.succeed("python", *pip, "--wheel-dir", sdist.parent, sdist)
    return next(sdist.parent.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A clean environment with the wheel and what it needs, without any extra."""
    environment = Environment(tmp_path_factory.mktemp("clean"))
    environment.install(wheel)
    with closing(sqlite3.connect(environment.files / "pets.sqlite")) as connection:
        connection.execute("CREATE TABLE pet (pet_id INTEGER PRIMARY KEY, name TEXT)")
    return environment


def expected_files() -> set[str]:
    """Every file of the declared packages, at the place where it is imported."""
    setuptools = PYPROJECT["tool"]["setuptools"]
    found = set()
    for package in setuptools["packages"]:
        folder, names = _folder(package), ["*.py", *setuptools["package-data"].get(package, [])]
        found |= {f"{package.replace('.', '/')}/{path.relative_to(folder)}" for n in names for path in folder.glob(n)}
    return found


def _folder(package: str) -> Path:
    mapping: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]
    prefix = max((name for name in mapping if f"{package}.".startswith(f"{name}.")), key=len)
    return ROOT.joinpath(mapping[prefix], *package[len(prefix) :].strip(".").split("."))


def test_the_wheel_holds_the_code_and_its_data_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected_files()
    assert "route_sql/py.typed" in held and any(name.endswith(".gguf") for name in held)


def test_it_is_imported_from_the_clean_environment(installed: Environment) -> None:
    place = installed.succeed("python", "-c", "import route_sql; print(route_sql.__file__)")
    assert Path(place.strip()).is_relative_to(installed.folder / "venv")
    names = "from route_sql import *; from route_sql.testing import ScriptedModel; import route_sql.graph.wiring"
    installed.succeed("python", "-W", "error", "-c", names)


def test_the_command_says_its_version(installed: Environment) -> None:
    assert installed.succeed("route-sql", "--version").strip() == version("route-sql")
    assert installed.succeed("python", "-m", "route_sql", "--version").strip() == version("route-sql")


def test_the_command_checks_a_query(installed: Environment) -> None:
    assert "allowed" in installed.succeed("route-sql", "check", "SELECT name FROM pet", "--db", "pets.sqlite")
    refused = installed.run("route-sql", "check", "DROP TABLE pet", "--dialect", "sqlite")
    assert (refused.returncode, refused.stdout.split(",")[0]) == (1, "refused")


def test_the_command_shows_a_schema(installed: Environment) -> None:
    assert "pet_id" in installed.succeed("route-sql", "schema", "--db", "pets.sqlite")


def test_a_question_without_the_embedded_extra_says_what_to_install(installed: Environment) -> None:
    asked = installed.run("route-sql", "ask", "Which pets are there?", "--db", "pets.sqlite")
    assert asked.returncode == 2 and "route-sql[embedded]" in asked.stderr and "Traceback" not in asked.stderr


def test_every_licence_travels(installed: Environment) -> None:
    script = "import importlib.metadata as m; print(*m.distribution('route-sql').files, sep='\\n')"
    names = {Path(line).name for line in installed.succeed("python", "-c", script).splitlines()}
    assert {"LICENSE", "NOTICE", "py.typed"} <= names


@pytest.mark.skipif(find_spec("uv") is None, reason="run `make oldest-tests`, which installs uv")
@pytest.mark.parametrize("end", ["lowest-direct", "highest"])
def test_the_wheel_answers_at_both_ends_of_the_version_ranges(end: str, wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.install_at(end, wheel)
    status, rows = environment.succeed("python", "-W", "error", "-c", ASK).split()
    assert (status, rows) == ("ok", "[[36]]")
    if end == "lowest-direct":
        assert lower_bounds().items() <= installed_versions(environment).items()


def lower_bounds() -> dict[str, str]:
    """The lower bound of each requirement of the package without an extra."""
    found = [re.match(r"([\w.-]+)>=([\d.]+)", requirement) for requirement in PYPROJECT["project"]["dependencies"]]
    assert all(found), "each requirement has a lower bound"
    return {canonical(bound[1]): short(bound[2]) for bound in found if bound}


def installed_versions(environment: Environment) -> dict[str, str]:
    lines = environment.succeed("python", "-m", "pip", "list", "--format", "freeze").splitlines()
    return {canonical(name): short(number) for name, _, number in (line.partition("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def short(number: str) -> str:
    """A version without the zeros at its end: 3.14 and 3.14.0 are one version."""
    return re.sub(r"(\.0)+$", "", number)
