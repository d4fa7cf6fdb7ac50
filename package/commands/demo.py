"""`route-sql demo`: from nothing to three answers about the demo clinic."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from route_sql.calibration_file import read_calibration_file
from route_sql.commands.options import CalibrationFile, Model
from route_sql.demo.database import build_demo_database
from route_sql.demo.questions import SHOWN
from route_sql.graph.asking import asking
from route_sql.graph.context import Context
from route_sql.graph.state import Question
from route_sql.models import open_model
from route_sql.printing import console, print_answer
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.tools.database.catalog import Catalog


def demo(
    model: Model = None,
    calibration: CalibrationFile = None,
    path: Annotated[Path, typer.Option(help="The file of the demo database.")] = Path(".demo/clinic.sqlite"),
) -> None:
    """Build the demo database and ask it three questions of rising difficulty."""
    out = console()
    build_demo_database(path)
    out.print(f"The demo database is {path}: a clinic of 12 tables.")
    asyncio.run(_ask_all(out, path, model, calibration))
    out.print(f"\nNow ask your own:  route-sql ask '...' --db {path}  (or any SQLite file)")
    out.print(f"Open it in a browser:  route-sql api --db {path}, then http://127.0.0.1:8000  (see docs/http.md)")
    out.print(f"Plug it into an assistant:  route-sql mcp --db {path}  (see docs/assistants.md)")


async def _ask_all(out: Console, path: Path, model: str | None, calibration: Path | None) -> None:
    settings = Settings()
    numbers = read_calibration_file(calibration or settings.calibration)
    catalog, name = Catalog.from_url(path)
    with download_progress() as progress:
        async with catalog, open_model(model or settings.model, settings, progress) as chat:
            ask = asking(chat, catalog, Context(), calibration=numbers)
            for question in SHOWN:
                out.print(Rule(Text(question), align="left"))
                print_answer(out, await ask(Question(question=question, database=name)))
