import pytest

from route_sql.agents import schema_linker
from route_sql.tools.schema.records import Column, Schema, Table


def table(name: str, *columns: str, namespace: str | None = None) -> Table:
    return Table(name=name, namespace=namespace, columns=tuple(Column(column, "TEXT") for column in columns))


SCHEMA = Schema(
    "sqlite",
    (
        table("Singer", "Id", "Name", "Age"),
        table("concert", "id", "singer_id"),
        table("orders", "id", namespace="sales"),
    ),
)


@pytest.mark.parametrize(
    ("reply", "link"),
    [
        ('{"Singer": ["Id", "Name"]}', {"Singer": ["Id", "Name"]}),
        ('Sure:\n```json\n{"Singer": ["Name"]}\n```\nDone.', {"Singer": ["Name"]}),
        ('{"singer": ["NAME"], "concert": ["SINGER_ID"]}', {"Singer": ["Name"], "concert": ["singer_id"]}),
        ("{'Singer': ['Name', 'Age']}", {"Singer": ["Name", "Age"]}),
        ('{"Singer": ["Name", "Age"], "concert": ["singer', {"Singer": ["Name", "Age"], "concert": []}),
        ('{"Singer": ["Name", "Shoe size"], "ticket": ["id"]}', {"Singer": ["Name"]}),
        ('{"Singer": ["Singer.Name"]}', {"Singer": ["Name"]}),
        ('["Singer.Name", "concert.id"]', {"Singer": ["Name"], "concert": ["id"]}),
        ('{"Singer": "Name"}', {"Singer": ["Name"]}),
        ('{"Singer": {"Name": "TEXT"}}', {"Singer": ["Name"]}),
        ('{"Singer": null}', {"Singer": []}),
        ('{"sales.orders": ["id"]}', {"sales.orders": ["id"]}),
        ('{"Singer": ["Age", "Id"]}', {"Singer": ["Id", "Age"]}),
        ("The singer table.", {}),
        ("", {}),
        ("{}", {}),
        ("}{", {}),
        ('{"Singer": [1, ["x"]]}', {"Singer": []}),
    ],
)
def test_what_models_write_is_read(reply: str, link: dict[str, list[str]]) -> None:
    assert schema_linker.parse(reply, SCHEMA) == link


def test_what_is_written_is_read_back() -> None:
    link = {"Singer": ["Id", "Age"], "concert": ["id"]}
    assert schema_linker.parse(schema_linker.write(link), SCHEMA) == link
