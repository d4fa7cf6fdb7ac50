"""The part of the schema that is linked to a question; for a follow-up, with everything that the earlier query uses."""

from dataclasses import replace

from route_sql.agents.brief import Brief
from route_sql.graph.state import State
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Link, Schema
from route_sql.tools.sql.usage import tables_and_columns


def linked_part(state: State, schema: Schema) -> Link:
    """The union of both links and of the names in the earlier query; empty if nothing is linked."""
    link = union(state.get("linked", {}), state.get("drafted", {}))
    turn = state.get("earlier_turn")
    return union(link, tables_and_columns(turn["sql"], schema)) if link and turn else link


def restricted(brief: Brief, link: Link) -> Brief:
    """The brief on a part of the schema; on all of it if the part is empty."""
    return replace(brief, schema=brief.schema.restrict(link)) if link else brief
