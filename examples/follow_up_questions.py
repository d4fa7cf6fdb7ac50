"""Questions that refer to each other: the thread remembers the last answered one, its SQL and its columns.

python examples/follow_up_questions.py
"""

from pathlib import Path

from route_sql import Answer, Context, open_default
from route_sql.demo.database import build_demo_database

QUESTIONS = (
    "How many appointments were cancelled?",
    "And by month?",  # read together with the question before
    "How many doctors are there?",  # whole on its own, so nothing is mixed up with it
)


def dialogue(db: Path, context: Context | None = None) -> list[Answer]:
    """Ask one after the other, on one thread."""
    with open_default(db, context=context) as database:
        return [database.ask(question) for question in QUESTIONS]


if __name__ == "__main__":
    for answer in dialogue(build_demo_database(Path(".demo/clinic.sqlite"))):
        print(answer["sql"], answer["row_count"], *answer["notes"])
