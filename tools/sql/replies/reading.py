"""Bound of the work to read one reply: a model can write text on which a parser's time explodes."""

from sqlglot import Token

from route_sql.tools.sql.parsing import TOO_DEEP, broken_at, parses, patient_tokens

MOST_WORK = 400_000
"""Characters that are tokenised or parsed for one reply, counted each time: about a third of a second."""
_LEAST = 50
"""The cost of the shortest text, in characters."""
_EXPLOSION = 250_000
"""The cost of a parse that ended at its own bounds, in characters."""
_SLACK = 200


class Reading:
    """Reads the texts of one reply until its budget of work is used up; after that no text parses or has tokens.

    Work is counted in characters, not in seconds, so that a reply is read in the same way on every machine.

    Args:
        dialect: The sqlglot name of the dialect.
        work: Characters that may be read.
    """

    def __init__(self, dialect: str, work: int = MOST_WORK) -> None:
        """Nothing is read yet."""
        self.dialect = dialect
        self.left = work

    @property
    def is_over(self) -> bool:
        """Whether the work is used up."""
        return self.left <= 0

    def complaint(self, text: str) -> str | None:
        """Reason why a text does not parse as exactly one query; None if it does."""
        if self.is_over:
            return TOO_DEEP
        found = parses(text, self.dialect)
        self.left -= _LEAST + len(text) + (_EXPLOSION if found == TOO_DEEP else 0)
        return found

    def last_end(self, text: str) -> int:
        """Place up to which the beginning of a broken text may parse: a little after the mistake."""
        if self.is_over:
            return 0
        place = broken_at(text, self.dialect)
        return len(text) if place is None else place + _SLACK

    def tokens(self, text: str) -> tuple[list[Token], int]:
        """The tokens of as much of a text as can be tokenised, and where that ends."""
        if self.is_over:
            return [], 0
        found, end, work = patient_tokens(text, self.dialect)
        self.left -= _LEAST + work
        return found, end
