"""Bound of the work on the names of one query: stars over stars double its columns, where no deadline looks."""

MOST_STEPS = 1_000_000
"""About a second; people's queries have some thousands."""


class TooManySteps(Exception):
    """The names of a query take too many steps."""


class Budget:
    """Counts the steps of one query: columns of each FROM entry and star, entries where a name is sought."""

    def __init__(self) -> None:
        """Nothing is spent yet."""
        self.spent = 0

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            TooManySteps: there were more than `MOST_STEPS`.
        """
        self.spent += steps
        if self.spent > MOST_STEPS:
            raise TooManySteps
