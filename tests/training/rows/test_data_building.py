import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import QUESTIONS
from route_sql.training.datasets.data_set import DataSet, open_data_set
from route_sql.training.datasets.examples import Example
from route_sql.training.datasets.shards import read_shard
from route_sql.training.errors import DatasetError
from route_sql.training.rows.building import Recipe, build_data, split_examples
from route_sql.training.rows.data_card import DataCard
from route_sql.training.rows.joining import join_sets
from route_sql.training.rows.row_files import PROGRESS, DataFiles

DATABASES = ("clinic", "second", "third")
PLACES = (0, 1, 3, 6, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three databases in one folder, and Spider-like questions on them, one of which fails and one is excluded."""
    folder: Path = tmp_path_factory.mktemp("set")
    for name in DATABASES:
        build_demo_database(folder / "database" / name / f"{name}.sqlite")
    entries = [
        {"db_id": DATABASES[place % 3], "question": QUESTIONS[place].question, "query": QUESTIONS[place].sql}
        for place in PLACES
    ]
    entries += [
        {"db_id": "clinic", "question": "Who is there?", "query": "SELECT nobody FROM patient"},
        {"db_id": "clinic", "question": "Is it empty?", "query": "SELECT 1"},
    ]
    (folder / "train.json").write_text(json.dumps(entries), encoding="utf-8")
    (folder / "EXCLUDED.json").write_text(json.dumps({"train.json": [6]}), encoding="utf-8")
    return folder


class Stopped(Exception):
    pass


async def built(
    folder: Path, out: Path, recipe: Recipe | None = None, stop_at: int | None = None, shard: str | None = None
) -> DataCard:
    def progress(done: int, total: int) -> None:
        assert shard or total == len(PLACES) + 1
        if done == stop_at:
            raise Stopped

    part = read_shard(shard) if shard else None
    async with open_data_set(DataSet("spider", folder / "train.json", folder / "database", shard=part)) as source:
        return await build_data(source, out, recipe or Recipe(held_out=0.3), progress=progress)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != ".lock"}


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("whole")
    asyncio.run(built(folder, out))
    return out


async def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(folder: Path, whole: Path, tmp_path: Path):
    await built(folder, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole)
    await built(folder, tmp_path / "other", Recipe(seed=1, held_out=0.3))
    assert contents(tmp_path / "other") != contents(whole)


async def test_a_stopped_run_ends_with_the_bytes_of_one_that_was_not(folder: Path, whole: Path, tmp_path: Path):
    for stop_at in (0, 2, 4):
        with pytest.raises(Stopped):
            await built(folder, tmp_path, stop_at=stop_at)
        # What a killed process had written of the example that it was at.
        with (tmp_path / "text_to_sql.train.jsonl").open("ab") as file:
            file.write(b'{"task": "text_to')
    await built(folder, tmp_path)
    assert contents(tmp_path) == contents(whole)


async def test_a_set_that_an_earlier_version_began_is_resumed(folder: Path, whole: Path, tmp_path: Path):
    with pytest.raises(Stopped):
        await built(folder, tmp_path, stop_at=2)
    progress = json.loads((tmp_path / PROGRESS).read_bytes())
    progress["settings"]["format"] = progress["settings"].pop("layout")
    (tmp_path / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
    await built(folder, tmp_path)
    files = contents(tmp_path)
    assert {**files, PROGRESS: b""} == {**contents(whole), PROGRESS: b""}


async def test_a_finished_set_is_left_as_it_is(folder: Path, whole: Path):
    before = contents(whole)
    await built(folder, whole, stop_at=0)
    assert contents(whole) == before


async def test_another_recipe_does_not_go_on_with_a_set(folder: Path, whole: Path):
    with pytest.raises(DatasetError, match="seed was 0, is 7"):
        await built(folder, whole, Recipe(seed=7, held_out=0.3))


async def test_a_damaged_set_is_not_gone_on_with(folder: Path, tmp_path: Path):
    await built(folder, tmp_path)
    (tmp_path / "text_to_sql.train.jsonl").write_bytes(b"")
    with pytest.raises(DatasetError, match="shorter than"):
        await built(folder, tmp_path)
    (tmp_path / PROGRESS).write_text("[]", encoding="utf-8")
    with pytest.raises(DatasetError, match="is damaged"):
        await built(folder, tmp_path)


async def test_files_of_another_set_are_not_overwritten(folder: Path, tmp_path: Path):
    (tmp_path / "text_to_sql.train.jsonl").write_text("mine", encoding="utf-8")
    with pytest.raises(DatasetError, match="of another set"):
        await built(folder, tmp_path)
    assert (tmp_path / "text_to_sql.train.jsonl").read_text(encoding="utf-8") == "mine"


async def test_no_database_is_in_both_splits(whole: Path):
    seen: dict[str, set[str]] = {"train": set(), "eval": set()}
    for path in whole.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        seen[path.name.split(".")[1]] |= {row["database"] for row in rows}
    card = json.loads((whole / "data_card.json").read_bytes())
    assert seen["eval"] == set(card["held_out"]) and len(seen["eval"]) == 1
    assert seen["train"] == set(DATABASES) - seen["eval"]


async def test_the_card_counts_what_the_files_hold(whole: Path):
    card: DataCard = json.loads((whole / "data_card.json").read_bytes())
    assert len(card["files"]) == 8 and card["excluded"] == 1 and card["left_out"] == {"gold: error": 1}
    assert "CC BY-SA 4.0" in card["licence"] and card["settings"]["seed"] == 0
    total = 0
    for name, file in card["files"].items():
        rows = [json.loads(line) for line in (whole / name).read_text(encoding="utf-8").splitlines()]
        assert (len(rows), sum(file["kinds"].values())) == (file["rows"], file["rows"])
        assert file["tokens"].get("p100", 0) == max((row["tokens"] for row in rows), default=0)
        total += len(rows)
    assert total > 20
    text = (whole / "data_card.md").read_text(encoding="utf-8")
    assert "| text_to_sql.train.jsonl |" in text and "- 1: gold: error" in text


async def test_rows_are_prompt_and_completion_conversations(whole: Path):
    row = json.loads((whole / "noise_correction.train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]
    assert [turn["role"] for turn in row["completion"]] == ["assistant"]


async def test_two_processes_do_not_write_one_set(folder: Path, tmp_path: Path):
    inside: list[str] = []

    def progress(done: int, total: int) -> None:
        inside.append("first")

    async with open_data_set(DataSet("spider", folder / "train.json", folder / "database")) as source:

        async def second() -> None:
            while not inside:
                await asyncio.sleep(0.001)
            with pytest.raises(DatasetError, match="another process is writing"):
                await build_data(source, tmp_path, Recipe())

        await asyncio.gather(build_data(source, tmp_path, Recipe(), progress=progress), second())


async def test_a_cancelled_run_can_be_taken_up_at_once(folder: Path, whole: Path, tmp_path: Path):
    running = asyncio.ensure_future(built(folder, tmp_path))
    while not (tmp_path / PROGRESS).exists():
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await built(folder, tmp_path)
    assert contents(tmp_path) == contents(whole)


def log_of(queries: Sequence[str]) -> list[Example]:
    return [Example(i, "only", f"Question {i}?", "", sql) for i, sql in enumerate(queries)]


def test_of_a_single_database_questions_are_held_out_and_the_same_sql_stays_together():
    examples = log_of([f"SELECT  {i // 2}" if i % 2 else f"select {i // 2}" for i in range(40)])
    splits, databases = split_examples(examples, Recipe(held_out=0.2))
    assert databases == [] and splits.count("eval") == 8
    assert splits[0::2] == splits[1::2]


def test_the_same_question_stays_together_whatever_its_sql():
    """Two people saved other SQL for a question: learned with the one, it would be no held-out question."""
    pairs = [(f"Question {n // 3}?", f"SELECT {n}") for n in range(60)]
    examples = [Example(n, "only", f" {q} " if n % 3 else q.upper(), "", sql) for n, (q, sql) in enumerate(pairs)]
    joined = Example(60, "only", "Question 0?", "", "SELECT 59 ;")  # the question of the first, the SQL of the last
    splits, _ = split_examples([*examples, joined], Recipe(held_out=0.5))
    assert splits[0:60:3] == splits[1:60:3] == splits[2:60:3] and {*splits} == {"train", "eval"}
    assert splits[0] == splits[59] == splits[60]


async def test_a_folder_that_can_not_be_begun_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("route_sql.training.rows.row_files.write_whole", full)
    for _ in range(2):  # the folder is not left locked
        with pytest.raises(DatasetError, match="can't be written: .* No space left on device"):
            DataFiles(tmp_path / "rows", {})


def test_nothing_is_held_out_if_nothing_should_be_or_can_be():
    assert split_examples(log_of(["SELECT 1", "SELECT 2"]), Recipe(held_out=0.0))[0] == ["train", "train"]
    assert split_examples(log_of(["SELECT 1"]), Recipe())[0] == ["train"]
    with pytest.raises(DatasetError, match="can't be held out"):
        Recipe(held_out=1.0)


@pytest.mark.parametrize("recipe", [Recipe(seed=3, held_out=0), Recipe(further=True, self_training=True)])
async def test_the_data_card_gives_the_recipe_back(folder: Path, tmp_path: Path, recipe: Recipe):
    card = await built(folder, tmp_path, recipe)
    assert Recipe.from_settings(card["settings"]) == recipe
    nothing_held_out = "## Held out for evaluation\n\nnothing\n" in (tmp_path / "data_card.md").read_text("utf-8")
    assert nothing_held_out == (recipe.held_out == 0)
    del card["settings"]["seed"]
    with pytest.raises(KeyError, match="seed"):
        Recipe.from_settings(card["settings"])


@pytest.mark.parametrize("further", [False, True])
@pytest.mark.parametrize("count", [1, 2, 4, 6])
async def test_joined_shards_are_the_bytes_of_one_machine(folder: Path, tmp_path: Path, count: int, further: bool):
    recipe = Recipe(held_out=0.3, further=further)
    await built(folder, tmp_path / "one", recipe)
    parts = [tmp_path / f"part{number}" for number in range(1, count + 1)]
    for number, part in enumerate(parts, start=1):
        await built(folder, part, recipe, shard=f"{number}/{count}")
    join_sets(parts[::-1], tmp_path / "joined")
    assert contents(tmp_path / "joined") == contents(tmp_path / "one")
    await built(folder, tmp_path / "joined", recipe, stop_at=0)  # it is finished: nothing is built again
    assert contents(tmp_path / "joined") == contents(tmp_path / "one")


async def test_a_stopped_shard_is_resumed_and_not_joined_before(folder: Path, whole: Path, tmp_path: Path):
    parts = [tmp_path / "part1", tmp_path / "part2"]
    await built(folder, parts[0], shard="1/2")
    for stop_at in (0, 2):
        with pytest.raises(Stopped):
            await built(folder, parts[1], stop_at=stop_at, shard="2/2")
        with pytest.raises(DatasetError, match="part2 is not a finished shard"):
            join_sets(parts, tmp_path / "joined")
        assert not (tmp_path / "joined").exists()
    await built(folder, parts[1], shard="2/2")
    join_sets(parts, tmp_path / "joined")
    assert contents(tmp_path / "joined") == contents(whole)


async def test_what_is_not_each_shard_of_one_set_is_not_joined(folder: Path, whole: Path, tmp_path: Path):
    first, second, other = tmp_path / "first", tmp_path / "second", tmp_path / "other"
    await built(folder, first, shard="1/2")
    await built(folder, second, shard="2/2")
    await built(folder, other, Recipe(seed=1, held_out=0.3), shard="2/2")
    await built(folder, tmp_path / "of three", shard="2/3")
    (tmp_path / "empty").mkdir()
    cut = tmp_path / "cut"
    await built(folder, cut, shard="2/2")
    (cut / "text_to_sql.train.jsonl").write_bytes(b"")
    for parts, said in [
        ([first], "missing: 2/2"),
        ([first, second, second], "twice: 2/2"),
        ([first, other], "seed was 0, is 1"),
        ([first, tmp_path / "of three"], "not of the same number of shards"),
        ([first, whole], "not a finished shard"),
        ([first, tmp_path / "empty"], "holds no training set"),
        ([first, tmp_path / "nowhere"], "holds no training set"),
        ([first, cut], "make its shard again"),
    ]:
        with pytest.raises(DatasetError, match=said):
            join_sets(parts, tmp_path / "joined")
        assert not (tmp_path / "joined").exists()
    (tmp_path / "joined").mkdir()
    with pytest.raises(DatasetError, match="exists already"):
        join_sets([first, second], tmp_path / "joined")
