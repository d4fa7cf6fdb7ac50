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

CONCERT = {"concert": ["id", "singer_id"]}
SINGER = {"Singer": ["Id", "Name", "Age"]}


@pytest.mark.parametrize(
    ("reply", "link"),
    [
        ('{"Singer": ["Id", "Name"]}', {"Singer": ["Id", "Name"]}),
        ('Sure:\n```json\n{"Singer": ["Name"]}\n```\nDone.', {"Singer": ["Name"]}),
        ('{"singer": ["NAME"], "concert": ["SINGER_ID"]}', {"Singer": ["Name"], "concert": ["singer_id"]}),
        ("{'Singer': ['Name', 'Age']}", {"Singer": ["Name", "Age"]}),
        ('{"Singer": ["Name", "Age"], "concert": ["singer', {"Singer": ["Name", "Age"], **CONCERT}),
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
    ],
)
def test_what_models_write_is_read(reply: str, link: dict[str, list[str]]) -> None:
    assert schema_linker.parse(reply, SCHEMA) == link


@pytest.mark.parametrize(
    "reply",
    [
        '{"Singer": "*"}',
        '{"Singer": ["*"]}',
        '{"Singer": ["Name", "*"]}',
        '["Singer.*"]',
        '{"Singer": ["Shoe size"]}',
        '{"Singer": [1, ["x"]]}',
        '{"Singer": true}',
        '["Singer"]',
        '{"tables": ["singer"]}',
        '[{"table": "Singer"}]',
        '{"table": "Singer", "columns": "*"}',
        "{'Singer': ['*']}",
    ],
)
def test_a_table_without_a_column_that_exists_is_the_whole_table(reply: str) -> None:
    assert schema_linker.parse(reply, SCHEMA) == SINGER


@pytest.mark.parametrize("reply", ['{"Singer": [], "concert": ["id"]}', "{'Singer': [], 'concert': ['id']}"])
def test_an_empty_list_means_no_column(reply: str) -> None:
    assert schema_linker.parse(reply, SCHEMA) == {"Singer": [], "concert": ["id"]}


@pytest.mark.parametrize(
    ("reply", "link"),
    [
        ('{"Singer": {"columns": ["Name"]}}', {"Singer": ["Name"]}),
        ('{"Singer": [{"name": "Age", "type": "TEXT"}]}', {"Singer": ["Name", "Age"]}),
        ('{"concert": [{"column": "singer_id", "why": "a key"}]}', {"concert": ["singer_id"]}),
        ('{"tables": {"Singer": ["Name"], "concert": ["id"]}}', {"Singer": ["Name"], "concert": ["id"]}),
        ('[{"table": "Singer", "columns": ["Name"]}]', {"Singer": ["Name"]}),
        (
            '[{"table": "Singer", "columns": ["Name"]}, {"table": "concert", "columns": ["id"]}]',
            {"Singer": ["Name"], "concert": ["id"]},
        ),
        (
            '{"tables": ["Singer", "concert"], "columns": ["Singer.Name", "Age", "singer_id"]}',
            {"Singer": ["Name", "Age"], "concert": ["singer_id"]},
        ),
        ('["Singer", "concert"]', {**SINGER, **CONCERT}),
    ],
)
def test_other_nestings_are_read(reply: str, link: dict[str, list[str]]) -> None:
    assert schema_linker.parse(reply, SCHEMA) == link


def test_a_name_of_both_a_column_and_a_table_is_read_as_both() -> None:
    schema = Schema("sqlite", (table("pet", "name", "owner"), table("owner", "id", "city")))
    assert schema_linker.parse('["pet", "owner"]', schema) == {"pet": ["owner"], "owner": ["id", "city"]}
    typed = '{"pet": {"owner": "TEXT", "name": "TEXT"}, "owner": {"city": "TEXT"}}'
    assert schema_linker.parse(typed, schema) == {"pet": ["name", "owner"], "owner": ["city"]}


def test_what_is_written_is_read_back() -> None:
    link = {"Singer": ["Id", "Age"], "concert": ["id"]}
    assert schema_linker.parse(schema_linker.write(link), SCHEMA) == link
