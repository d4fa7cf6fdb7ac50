"""`route-sql serve`: the databases that it computes before the first question."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from route_sql.cli import main
from route_sql.demo.database import build_demo_database


@pytest.mark.model
async def test_warm_computes_each_schema_and_serves_in_spite_of_one_that_fails(tmp_path: Path) -> None:
    build_demo_database(tmp_path / "clinic.sqlite")
    command = ("-m", "route_sql", "serve", "--warm", "clinic.sqlite", "--warm", "missing.sqlite")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        async with asyncio.timeout(240):
            lines = [(await process.stdout.readline()).decode() for _ in range(3)]
            failed = (await process.stderr.readuntil(b"missing.sqlite")).decode()
        assert "until Ctrl-C" in lines[0] and lines[2].startswith("warm: clinic, "), lines
        assert "not warm: " in failed
        exported = dict(part.split("=", 1) for part in lines[1].split()[1:])
        headers = {"Authorization": f"Bearer {exported['ROUTE_SQL_API_KEY']}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            assert (await http.get(f"{exported['ROUTE_SQL_MODEL']}/v1/models")).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()


def test_warm_all_needs_a_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF" + bytes(100))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--model", str(model), "--warm", "all"])
    assert ended.value.code == 2 and "--warm all needs a catalog" in " ".join(capsys.readouterr().err.split())
