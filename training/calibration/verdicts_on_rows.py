"""Whether the noise corrector is worth its calls once a query has returned rows."""

from collections.abc import Sequence
from typing import NamedTuple

from route_sql.training.calibration.observing import ObservedQuestion


class VerdictFigures(NamedTuple):
    """Answers that verdicts made right and wrong, where a query had returned rows before."""

    asked: int
    """Questions with such a verdict."""
    became_right: int
    became_wrong: int

    @property
    def help(self) -> bool:
        """Whether they made more answers right than wrong; true where no question had one."""
        return self.asked == 0 or self.became_right > self.became_wrong


def verdicts_on_rows(questions: Sequence[ObservedQuestion]) -> VerdictFigures:
    """Count the answers that verdicts made right and wrong."""
    changes = [question.verdict_on_rows for question in questions if question.verdict_on_rows]
    return VerdictFigures(
        asked=len(changes),
        became_right=sum(after and not before for before, after in changes),
        became_wrong=sum(before and not after for before, after in changes),
    )
