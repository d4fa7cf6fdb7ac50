"""A rehearsal of the load on the HTTP app: none of the questions is lost, on the real servers, in a few seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "load.py"


@pytest.mark.timeout(900)  # four servers start, on a machine that may be busy
def test_no_question_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "load.md"
    command = [sys.executable, str(SCRIPT), "--seconds", "4", "--clients", "16", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=850)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.read_text().splitlines()]
    alone, busy, refused, ended = (row for row in rows if row and row[0].isdecimal())
    assert int(alone[1]) > 0 and int(busy[1]) >= 16 and alone[2] == busy[2] == "0", "answered, lost"
    assert int(refused[2]) > 10 and int(refused[3]) >= 16 and refused[4] == "0", "429, answered in time, lost"
    before, later, refused_at_once, lost = map(int, ended[1:])
    assert before >= 4 and later > 0 and before + later + refused_at_once == 16 and lost == 0
