"""Options under their names of earlier versions, which work for one version more and warn."""

from typing import Any

from typer.core import TyperCommand

from route_sql.printing import complain


class RenamedLayout(TyperCommand):
    """A command whose option `--layout` was called `--format`, which other commands have for the form of rows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments with the old name replaced by the new one."""
        renamed = [_renamed(argument) for argument in args]
        if renamed != args:
            complain("warning: --format is now --layout; the next version removes the old name", style="yellow")
        return super().parse_args(ctx, renamed)


def _renamed(argument: str) -> str:
    name, is_joined, value = argument.partition("=")
    return f"--layout{is_joined}{value}" if name == "--format" else argument
