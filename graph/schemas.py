"""Schemas of the databases, shared by the nodes."""

from collections import OrderedDict
from time import monotonic

from route_sql.tools.database.catalog import Catalog
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.rights.visibility import Visibility

SECONDS = 1.0
"""Seconds after which a schema is asked for again; each time the database checks whether it has changed."""
MOST = 256
"""Schemas that are kept."""
FEW_COLUMNS = 100


class Schemas:
    """The schema of each database, limited to the caller's rights."""

    def __init__(self, catalog: Catalog) -> None:
        """Keep no schema yet."""
        self._catalog = catalog
        self._kept: OrderedDict[tuple[str, Visibility], tuple[float, Schema]] = OrderedDict()

    async def recent(self, name: str, rights: Visibility) -> Schema:
        """The schema, at most a second old.

        Raises:
            UnknownDatabase: the catalog has no such database.
            DatabaseUnavailable: it can't be read.
        """
        at, schema = self._kept.get((name, rights), (0.0, None))
        return await self.now(name, rights) if schema is None or monotonic() - at > SECONDS else schema

    async def now(self, name: str, rights: Visibility) -> Schema:
        """The schema as the database has it now.

        Raises:
            UnknownDatabase, DatabaseUnavailable: as for `recent`.
        """
        schema = await self._catalog.get(name, rights).schema()
        self.keep(name, rights, schema)
        return schema

    def keep(self, name: str, rights: Visibility, schema: Schema) -> None:
        """Keep a schema that was just read."""
        self._kept[name, rights] = monotonic(), schema
        self._kept.move_to_end((name, rights))
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)


def is_small(schema: Schema) -> bool:
    """Whether work on a schema is so short that a thread of its own would cost more under load."""
    return schema.column_count() <= FEW_COLUMNS
