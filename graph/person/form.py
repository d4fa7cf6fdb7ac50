"""The graph's input as a form shows it: with a list of database names to choose from."""

from collections.abc import Sequence

from pydantic import Field, create_model

from route_sql.graph.state import QuestionArguments

MOST_NAMES = 200
"""Names of databases that a form lists; a longer list is left out."""


def question_form(names: Sequence[str]) -> type[QuestionArguments]:
    """The form of a question about one of these databases.

    The list is for clients: the graph itself takes any text, and says which names it knows.
    """
    if not 0 < len(names) <= MOST_NAMES:
        return QuestionArguments
    described = QuestionArguments.model_fields["database"].description
    choice = Field(description=described, json_schema_extra={"enum": list(names)})
    return create_model(
        "QuestionArguments", __base__=QuestionArguments, __doc__=QuestionArguments.__doc__, database=(str, choice)
    )
