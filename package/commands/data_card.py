"""The data card of a training set on the terminal."""

from rich.table import Table

from route_sql.printing import console
from route_sql.training.rows.data_card import DataCard


def print_card(card: DataCard) -> None:
    """Print a training set's files with their rows and tokens, and what was left out."""
    table = Table("file", "rows", "examples", "median tokens", "longest")
    for name, file in card["files"].items():
        tokens = file["tokens"]
        cells = (file["rows"], file["examples"], tokens.get("p50", 0), tokens.get("p100", 0))
        table.add_row(name, *map(str, cells))
    out = console()
    out.print(table)
    for reason, count in card["left_out"].items():
        out.print(f"left out, {reason}: {count}")
