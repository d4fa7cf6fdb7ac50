from pathlib import Path

import pytest

from route_sql.tools.files import draft_of, write_whole, written_whole


def test_a_file_is_there_whole_or_as_it_was(tmp_path: Path):
    path = tmp_path / "figures.json"
    write_whole(path, "größer")
    with pytest.raises(ZeroDivisionError), written_whole(path) as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert path.read_text(encoding="utf-8") == "größer"
    write_whole(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["figures.json"] and path.read_text() == "new"


def test_a_folder_replaces_a_folder_and_nothing_of_an_earlier_draft_gets_in(tmp_path: Path):
    path = tmp_path / "model"
    for place in (path, draft_of(path)):
        place.mkdir()
        (place / "old").touch()
    with written_whole(path) as draft:
        draft.mkdir()
        (draft / "new").touch()
    assert [file.name for file in path.iterdir()] == ["new"]


def test_a_file_never_replaces_a_folder(tmp_path: Path):
    (tmp_path / "mine" / "work").mkdir(parents=True)
    with pytest.raises(OSError):
        write_whole(tmp_path / "mine", "text")
    assert (tmp_path / "mine" / "work").is_dir()
