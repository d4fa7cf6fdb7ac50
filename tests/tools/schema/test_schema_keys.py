"""Keys between tables: declared, or suggested by column names."""

from dataclasses import replace

from route_sql.tools.schema.keys import JoinStep, equivalent_keys, join_graph
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table


def table(name: str, *columns: str, key: str = "", refers: dict[str, str] | None = None) -> Table:
    keys = tuple(ForeignKey((column,), target) for column, target in (refers or {}).items())
    primary = (key,) if key else ()
    return Table(name, tuple(Column(column, "INTEGER") for column in columns), primary_key=primary, foreign_keys=keys)


def graph(*tables: Table) -> dict[str, list[JoinStep]]:
    return join_graph(Schema("sqlite", tables))


def test_a_declared_key_leads_both_ways() -> None:
    found = graph(table("pet", "pet_id", "owner", refers={"owner": "person"}), table("person", "id", key="id"))
    assert found == {"pet": [("person", (("owner", "id"),))], "person": [("pet", (("id", "owner"),))]}


def test_names_add_keys_to_declared_ones_from_columns_named_like_a_primary_key() -> None:
    pet = table("pet", "pet_id", "owner_id", "vet_id", "house_id", refers={"owner_id": "person"})
    person = table("person", "owner_id", "house_id", key="owner_id")
    found = graph(pet, person, table("vet", "vet_id", key="vet_id"), table("owner", "id", key="id"))
    assert found["pet"] == [("person", (("owner_id", "owner_id"),)), ("vet", (("vet_id", "vet_id"),))]
    assert "owner" not in found


def test_a_key_of_a_table_to_itself_leads_both_ways() -> None:
    person = table("person", "id", "boss", key="id", refers={"boss": "person"})
    assert graph(person) == {"person": [("person", (("boss", "id"),)), ("person", (("id", "boss"),))]}


def test_a_key_to_an_unknown_table_or_without_target_columns_is_left_out() -> None:
    assert graph(table("pet", "owner", refers={"owner": "person"})) == {}
    assert graph(table("pet", "owner", refers={"owner": "person"}), table("person", "id")) == {}


def test_names_suggest_keys_where_none_is_declared() -> None:
    visit = table("visit", "id", "guestId", "room_id", "paid")
    found = graph(visit, table("guest", "GuestID", "paid", key="GuestID"), table("rooms", "id"))
    assert found["visit"] == [("guest", (("guestId", "GuestID"),)), ("rooms", (("room_id", "id"),))]
    assert found["rooms"] == [("visit", (("id", "room_id"),))]


def test_a_column_of_every_table_suggests_no_key_unless_it_is_a_primary_key() -> None:
    many = [table(f"t{number}", "tenant_id") for number in range(6)]
    assert graph(*many) == {}
    found = graph(*many, table("tenant", "tenant_id", key="tenant_id"))
    assert found["t3"] == [("tenant", (("tenant_id", "tenant_id"),))] and len(found["tenant"]) == 6


def test_a_step_starts_with_the_columns_of_its_own_table() -> None:
    pet = table("pet", "owner_id")
    assert graph(pet, table("owner", "id"))["owner"] == [JoinStep("pet", (("id", "owner_id"),))]


def test_columns_connected_by_keys_are_equivalent() -> None:
    staff = table("staff", "Id", key="Id", refers={"Id": "person"})
    sale = table("sale", "id", "seller", "buyer", key="id", refers={"seller": "staff", "buyer": "person"})
    found = graph(table("person", "id", "name", key="id"), staff, sale)
    people = {("person", "id"), ("staff", "id"), ("sale", "seller"), ("sale", "buyer")}
    assert equivalent_keys(found, "sale", "seller") == equivalent_keys(found, "sale", "buyer") == people
    assert equivalent_keys(found, "sale", "id") == equivalent_keys(found, "person", "name") == set()


def test_a_name_stands_for_the_table_in_the_same_namespace() -> None:
    tables = [table("customer", "id", key="id"), table("sale", "customer_id")]
    found = graph(*(replace(each, namespace=space) for space in ("raw", "marts") for each in tables))
    assert {step.target for step in found["raw.sale"]} == {"raw.customer", "marts.sale"}


def test_two_tables_that_share_a_primary_key_are_equivalent_in_either_order() -> None:
    users, profiles = table("users", "user_id", key="user_id"), table("profiles", "user_id", key="user_id")
    sale = table("sale", "buyer", refers={"buyer": "users"})
    for order in ((users, profiles, sale), (profiles, users, sale)):
        assert ("profiles", "user_id") in equivalent_keys(graph(*order), "sale", "buyer")


def test_a_primary_key_of_every_table_suggests_no_key() -> None:
    assert graph(*(table(f"t{number}", "row_id", key="row_id") for number in range(6))) == {}


def test_a_column_finds_its_table_in_the_plural() -> None:
    found = graph(table("product", "category_id", "shop_id"), table("categories", "id"), table("shops", "id"))
    assert [step.target for step in found["product"]] == ["categories", "shops"]


def test_an_exact_table_name_wins_over_a_plural() -> None:
    tables = [table("user", "id"), table("users", "id"), table("pet", "user_id", "name")]
    for order in (tables, tables[::-1]):
        assert [step.target for step in graph(*order)["pet"]] == ["user"]
