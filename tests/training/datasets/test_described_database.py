"""BIRD's descriptions of columns, as comments of the schema that the agents see."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rendering import render
from route_sql.training.datasets.data_set import DataSet, Layout, open_data_set
from route_sql.training.datasets.described_database import FOLDER
from route_sql.training.errors import DatasetError

HEAD = "original_column_name,column_name,column_description,data_format,value_description\n"
EXAMPLE = {"db_id": "lab", "question": "How many?", "SQL": "SELECT COUNT(*) FROM Probe", "query": "SELECT 1"}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A BIRD-like folder with one database and its descriptions; the questions file."""
    folder = tmp_path / "databases" / "lab"
    (folder / FOLDER).mkdir(parents=True)
    with closing(sqlite3.connect(folder / "lab.sqlite")) as connection:
        connection.execute("CREATE TABLE Probe (Id INTEGER, wbc REAL, temp_c REAL, note TEXT, t REAL)")
    questions = tmp_path / "dev.json"
    questions.write_text(json.dumps([EXAMPLE]))
    return questions


async def schema_of(questions: Path, layout: Layout = "bird") -> Schema:
    async with open_data_set(DataSet(layout, questions, questions.parent / "databases")) as source:
        database = source.catalog.get("lab")
        assert await database.schema() is await database.schema()
        assert (await database.execute("SELECT COUNT(*) FROM Probe"))["rows"] == [[0]]
        assert (database.dialect, await database.warnings()) == ("sqlite", ())
        return await database.schema()


async def test_what_says_more_than_the_name_is_the_comment(lab: Path) -> None:
    text = HEAD + "WBC ,white blood cells,cells,real,\ntemp_c,Temp C,the temperature,real,\nid,,,integer,\nnote\n"
    file = lab.parent / "databases" / "lab" / FOLDER / "probe.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode() + "t,t\xe4gliche Zeit,,real,a,b\n".encode("latin-1"))
    shown = render(await schema_of(lab))
    assert "wbc REAL, -- white blood cells" in shown
    assert "temp_c REAL, -- the temperature" in shown
    assert "Id INTEGER,\n" in shown and "note TEXT,\n" in shown and "gliche Zeit" in shown


@pytest.mark.parametrize("text", ["", "name,meaning\nwbc,white blood cells\n"])
async def test_a_file_of_another_form_says_nothing(lab: Path, text: str) -> None:
    (lab.parent / "databases" / "lab" / FOLDER / "Probe.csv").write_text(text)
    assert "--" not in render(await schema_of(lab))


async def test_a_file_that_can_not_be_read_is_named(lab: Path) -> None:
    (lab.parent / "databases" / "lab" / FOLDER / "Probe.csv").mkdir()
    with pytest.raises(DatasetError, match=r"Probe\.csv can't be read"):
        await schema_of(lab)


async def test_spiders_databases_are_taken_as_they_are(lab: Path) -> None:
    (lab.parent / "databases" / "lab" / FOLDER / "Probe.csv").write_text(HEAD + "wbc,white blood cells,,,\n")
    assert "--" not in render(await schema_of(lab, "spider"))
