"""Schema linking (task SL; ROUTE, section 3.1): the tables and columns that the gold uses, keys of joins included."""

from random import Random

from route_sql.agents import schema_linker
from route_sql.tools.schema.links import link_names
from route_sql.tools.schema.records import Link
from route_sql.tools.sql.usage import tables_and_columns
from route_sql.training.tasks.task import Judge, PreparedExample, Row, TaskName, make_row


class SchemaLinking:
    """Question to link; a reply scores the F1 of its tables and columns."""

    name: TaskName = "schema_linking"

    def rows(self, prepared: PreparedExample, random: Random) -> list[Row]:
        """One row; none if the scopes of the gold can't be resolved."""
        link = prepared.gold_link()
        if not link:
            return []
        messages = schema_linker.messages(prepared.brief)
        return [make_row(prepared, self.name, "full", messages, schema_linker.write(link))]

    async def score(self, reply: str, row: Row, judge: Judge) -> float:
        """F1 over the names of tables and of columns with their table."""
        schema = await judge.databases.get(row["database"]).schema()
        return link_f1(schema_linker.parse(reply, schema), tables_and_columns(row["gold"], schema))


def link_f1(predicted: Link, gold: Link) -> float:
    """F1 of two links over their tables and columns; 1.0 if both are empty."""
    found, wanted = link_names(predicted), link_names(gold)
    if not found and not wanted:
        return 1.0
    return 2 * len(found & wanted) / (len(found) + len(wanted))
