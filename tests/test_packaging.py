import json
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def _folder(package: str) -> Path:
    """The folder of a package, found as setuptools does: by the longest mapped prefix."""
    mapping: dict[str, str] = SETUPTOOLS["package-dir"]
    prefix, rest = package, ""
    while prefix not in mapping:
        prefix, _, last = prefix.rpartition(".")
        rest = f"{last}/{rest}"
    return ROOT / mapping[prefix] / rest


def _name(folder: Path) -> str:
    """The package of a folder that holds code."""
    top, *rest = folder.relative_to(ROOT).parts
    return ".".join(["route_sql", *([] if top == "package" else [top]), *rest])


def test_every_folder_of_code_is_declared_as_a_package():
    tops = [ROOT / folder for folder in SETUPTOOLS["package-dir"].values()]
    folders = {file.parent for top in tops for file in top.rglob("*.py")}
    assert {_name(folder) for folder in folders} == set(SETUPTOOLS["packages"])
    assert len(SETUPTOOLS["packages"]) == len(set(SETUPTOOLS["packages"]))


def test_every_declared_package_has_its_init():
    assert [name for name in SETUPTOOLS["packages"] if not (_folder(name) / "__init__.py").is_file()] == []


def test_files_that_are_not_code_are_declared_as_package_data():
    declared = SETUPTOOLS["package-data"]
    for name in SETUPTOOLS["packages"]:
        patterns = declared.get(name, [])
        for file in _folder(name).iterdir():
            if file.is_file() and file.suffix not in {".py", ".pyc"}:
                assert any(file.match(pattern) for pattern in patterns), file


def test_mypy_sees_the_installed_files():
    """They are links in build/: with that excluded, `mypy -p route_sql` reads one file and is content."""
    installed = "build/__editable__.route_sql-0.2.0-py3-none-any/route_sql/tools/errors.py"
    assert [pattern for pattern in PYPROJECT["tool"]["mypy"].get("exclude", []) if re.search(pattern, installed)] == []


def test_tests_are_no_package_and_their_names_are_unique():
    files = [*(ROOT / "tests").rglob("*.py")]
    names = [file.name for file in files if file.name != "conftest.py"]
    assert "__init__.py" not in names
    assert sorted(names) == sorted(set(names))


def test_studio_opens_the_graph_by_its_module():
    """The file form would run a second copy of the file, next to the installed one."""
    config = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))
    assert config["dependencies"] == ["."]
    assert [graph["path"] for graph in config["graphs"].values()] == ["route_sql.studio:graph", "route_sql.studio:chat"]
    assert (ROOT / "package" / "studio.py").is_file()


def test_constraints_are_exact_versions_that_cover_every_direct_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin)] == []
    pinned = {_canonical(pin.partition("==")[0]) for pin in pins}
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = [
        *PYPROJECT["project"]["dependencies"],
        *(name for extra in ("dev", "embedded", "studio") for name in extras[extra]),
    ]
    assert {_canonical(re.split(r"[\[<>=!~; ]", name)[0]) for name in wanted} - pinned == {"route-sql"}


def requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    names = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    return [wanted for wanted in map(Requirement, names) if wanted.name != "route-sql"]


def test_every_requirement_says_its_oldest_version():
    """Without a lower bound the oldest version is one of 2005 that no Python of today can build."""
    assert [str(wanted) for wanted in requirements() if ">=" not in str(wanted.specifier)] == []


def test_constraints_are_within_the_ranges_that_users_install_with():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {_canonical(name): number for name, _, number in (line.partition("==") for line in lines)}
    wrong = [
        str(wanted)
        for wanted in requirements()
        if not wanted.specifier.contains(pins.get(_canonical(wanted.name), "0"))
    ]
    assert [name for name in wrong if not name.startswith("ray")] == []


def test_licence_files_travel_with_the_package():
    names = {Path(str(file)).name for file in distribution("route-sql").files or []}
    assert {"LICENSE", "NOTICE"} <= names


def test_the_whole_suite_has_a_floor_of_coverage_and_a_part_of_it_has_none():
    def recipe(*words: str) -> str:
        return subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True).stdout

    for words in (["coverage", "ARGS="], ["test", "ARGS=", "COUNTS=yes"]):
        floor = re.search(r"--cov-fail-under=(\d+)", recipe(*words))
        assert floor and int(floor[1]) >= 80
    part = recipe("coverage", "ARGS=tests/agents")
    assert "--cov " in part and "--cov-fail-under" not in part
    assert "--cov" not in recipe("test", "ARGS=", "COUNTS=") + recipe("test", "COUNTS=yes", "ARGS=tests/agents")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
