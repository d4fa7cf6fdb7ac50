"""The page that compares two runs: the paired test, kinds of error, every wrong question with gold and trace."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from support.browser import chromium, needs_browser

from route_sql.cli import main
from route_sql.training.datasets.examples import Example
from route_sql.training.errors import EvaluationError
from route_sql.training.evaluation.figures.error_kinds import differences, error_kinds
from route_sql.training.evaluation.figures.wrong_questions import wrong_questions
from route_sql.training.evaluation.run_log import Line

GOLD = "SELECT name FROM pet WHERE age > 3 ORDER BY age DESC LIMIT 1"
ATTACK = "<script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e"


def line(index: int, *, correct: bool, sql: str | None = GOLD, **more: Any) -> Line:
    unknown = dict.fromkeys(("error", "difficulty", "calls", "prompt_tokens", "cached_tokens", "completion_tokens"))
    known = {"index": index, "database": "pets", "question": f"Question {index} {ATTACK}", "sql": sql, "status": "ok"}
    tried = [
        {"agent": "draft", "sql": sql or "", "status": "ok"},
        {"agent": "generate", "sql": ATTACK, "status": "error"},
    ]
    rest = {"gold_fault": False, "tables": 1, "seconds": 1.5, "asked": ["draft", "generate"], "candidates": tried}
    reason = None if correct else "rows: 2, the gold has 1"
    return cast(Line, {**unknown, **known, **rest, "correct": correct, "reason": reason, "doubts": [ATTACK], **more})


FIRST = [line(0, correct=True), line(1, correct=True), line(2, correct=False), line(3, correct=False)]
SECOND = [
    line(0, correct=True),
    line(1, correct=False, sql="SELECT name FROM pet"),
    line(2, correct=True),
    line(3, correct=False, sql=None),
]
ASKED = [{"db_id": "pets", "question": each["question"], "query": GOLD} for each in FIRST]


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        (GOLD, ["other difference"]),
        ("SELECT name FROM owner WHERE age > 3 ORDER BY age DESC LIMIT 1", ["other table"]),
        ("SELECT name FROM pet, owner WHERE age > 3 ORDER BY age DESC LIMIT 1", ["redundant table"]),
        ("SELECT name FROM pet ORDER BY age DESC LIMIT 1", ["missing condition"]),
        ("SELECT name FROM pet WHERE age > 3 AND kind = 'cat' ORDER BY age DESC LIMIT 1",
         ["redundant condition", "other value"]),
        ("SELECT name FROM pet WHERE weight > 3 ORDER BY age DESC LIMIT 1", ["other condition"]),
        ("SELECT kind FROM pet WHERE age > 3 ORDER BY age DESC LIMIT 1", ["other columns"]),
        ("SELECT name FROM pet WHERE age > 3 ORDER BY age LIMIT 1", ["other order"]),
        ("SELECT name FROM pet WHERE age > 3 ORDER BY age DESC LIMIT 2", ["other limit"]),
        ("SELECT DISTINCT name FROM pet WHERE age > 3 ORDER BY age DESC LIMIT 1", ["DISTINCT"]),
        ("SELECT max(name) FROM pet WHERE age > 3 ORDER BY age DESC LIMIT 1", ["other aggregate"]),
        ("SELEC", ["unreadable query"]),
    ],
)  # fmt: skip
def test_kinds_by_the_query(sql: str, kinds: list[str]) -> None:
    assert differences(sql, GOLD) == kinds


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        (line(0, correct=True), []),
        (line(0, correct=False, sql=None), ["no SQL"]),
        (line(0, correct=False, gold_fault=True), ["the gold query fails"]),
        (line(0, correct=False, status="error"), ["does not run"]),
        (line(0, correct=False, status="timeout"), ["stopped at its deadline"]),
        (line(0, correct=False), ["rows"]),
    ],
)
def test_kinds_without_gold(given: Line, kinds: list[str]) -> None:
    assert error_kinds(given, None) == kinds


def test_every_wrong_question_is_listed_lost_ones_first() -> None:
    assert [(each.first["index"], each.change) for each in wrong_questions(FIRST, SECOND)] == [
        (1, "lost"), (2, "gained"), (3, "both wrong"),
    ]  # fmt: skip
    other = {each["index"]: Example(each["index"], "pets", "another question", "", GOLD) for each in FIRST}
    with pytest.raises(EvaluationError, match="name the file that was asked"):
        wrong_questions(FIRST, SECOND, other)


def test_a_wrong_query_is_compared_with_the_nearest_accepted_one() -> None:
    far = "SELECT DISTINCT max(weight) FROM owner, home WHERE kind = 'cat' AND size > 7"
    golds = {i: Example(i, "pets", FIRST[i]["question"], "", far, accepted=(GOLD,)) for i in range(4)}
    lost, *_ = wrong_questions(FIRST, SECOND, golds)
    assert lost.accepted == (far, GOLD)
    assert (lost.second_gold, lost.second_kinds) == (GOLD, differences("SELECT name FROM pet", GOLD))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("before", FIRST), ("now", SECOND)):
        Path(f"{name}.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    Path("dev.json").write_text(json.dumps(ASKED))
    return tmp_path


def compare(*more: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "before.jsonl", "now.jsonl", *more])
    return int(ended.value.code or 0)


def test_the_command_prints_the_paired_test(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare() == 0
    assert "only before 1, only now 1, neither 1" in capsys.readouterr().out
    assert compare("--json") == 0
    assert json.loads(capsys.readouterr().out)["p_value"] == 1.0


def test_the_page_has_gold_differences_and_traces(runs: Path) -> None:
    assert compare("--report", "page.html", "--questions", "dev.json") == 0
    page = Path("page.html").read_text()
    for expected in ("Only before was right: 1", "Only now was right: 1", "Both were wrong: 1", "missing condition",
                     "no SQL", "draft → generate", "<del>", "the second opinion", "exact McNemar p = 1"):  # fmt: skip
        assert expected in page, expected
    assert "<script" not in page and "<img" not in page and "\u202e" not in page
    assert compare("--report", "page.html") == 0
    assert "gold SQL was not given" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--report", "nowhere/page.html"], "name a file in a folder"),
        (["--report", "now.jsonl"], "the page would replace now.jsonl"),
        (["--questions", "dev.json", "--report", "./dev.json"], "the page would replace dev.json"),
        (["--questions", "missing.json", "--report", "page.html"], "can't be read"),
    ],
)
def test_wrong_use_says_what_to_do(
    runs: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    before = {path.name: path.read_bytes() for path in runs.iterdir()}
    assert compare(*more) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert {path.name: path.read_bytes() for path in runs.iterdir()} == before


def test_a_page_that_can_not_be_written_costs_no_figures(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The draft of a file with so long a name can't be written: as with a full disk, nobody knows before.
    assert compare("--report", "x" * 252, "--json") == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["p_value"] == 1.0 and "the page can't be written" in printed.err


def test_runs_over_other_questions_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("now.jsonl").write_text(f"{json.dumps(SECOND[0])}\n")
    assert compare() == 2
    assert "same questions" in capsys.readouterr().err


class TestInABrowser:
    pytestmark = needs_browser

    @pytest.mark.parametrize("width", [360, 1200])
    async def test_it_runs_nothing_and_fits(self, runs: Path, width: int) -> None:
        compare("--report", "page.html", "--questions", "dev.json")
        asked: list[str] = []
        async with chromium() as browser:
            page = await browser.new_page(viewport={"width": width, "height": 800})
            page.on("request", lambda request: asked.append(request.url))
            await page.goto((runs / "page.html").as_uri())
            for part in await page.query_selector_all("summary"):
                await part.click()
            assert await page.title() == "before against now" and len(asked) == 1
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
