"""The keys between tables: declared, or, where none is, told by names."""

from dataclasses import replace

from route_sql.tools.schema.keys import Step, key_steps, one_thing
from route_sql.tools.schema.records import Column, ForeignKey, Schema, Table


def table(name: str, *columns: str, key: str = "", refers: dict[str, str] | None = None) -> Table:
    keys = tuple(ForeignKey((column,), target) for column, target in (refers or {}).items())
    primary = (key,) if key else ()
    return Table(name, tuple(Column(column, "INTEGER") for column in columns), primary_key=primary, foreign_keys=keys)


def steps(*tables: Table) -> dict[str, list[Step]]:
    return key_steps(Schema("sqlite", tables))


def test_a_declared_key_leads_both_ways() -> None:
    found = steps(table("pet", "pet_id", "owner", refers={"owner": "person"}), table("person", "id", key="id"))
    assert found == {"pet": [("person", (("owner", "id"),))], "person": [("pet", (("id", "owner"),))]}


def test_beside_declared_keys_names_tell_of_columns_that_have_none_and_are_named_as_a_primary_key() -> None:
    pet = table("pet", "pet_id", "owner_id", "vet_id", "house_id", refers={"owner_id": "person"})
    person = table("person", "owner_id", "house_id", key="owner_id")
    found = steps(pet, person, table("vet", "vet_id", key="vet_id"), table("owner", "id", key="id"))
    assert found["pet"] == [("person", (("owner_id", "owner_id"),)), ("vet", (("vet_id", "vet_id"),))]
    assert "owner" not in found


def test_a_key_of_a_table_to_itself_leads_both_ways() -> None:
    person = table("person", "id", "boss", key="id", refers={"boss": "person"})
    assert steps(person) == {"person": [("person", (("boss", "id"),)), ("person", (("id", "boss"),))]}


def test_a_key_to_nowhere_and_one_of_another_length_lead_nowhere() -> None:
    assert steps(table("pet", "owner", refers={"owner": "person"})) == {}
    assert steps(table("pet", "owner", refers={"owner": "person"}), table("person", "id")) == {}


def test_names_tell_where_nothing_is_declared() -> None:
    visit = table("visit", "id", "guestId", "room_id", "paid")
    found = steps(visit, table("guest", "GuestID", "paid", key="GuestID"), table("rooms", "id"))
    assert found["visit"] == [("guest", (("guestId", "GuestID"),)), ("rooms", (("room_id", "id"),))]
    assert found["rooms"] == [("visit", (("id", "room_id"),))]


def test_what_every_table_has_joins_none_unless_it_is_the_key_of_one() -> None:
    many = [table(f"t{number}", "tenant_id") for number in range(6)]
    assert steps(*many) == {}
    found = steps(*many, table("tenant", "tenant_id", key="tenant_id"))
    assert found["t3"] == [("tenant", (("tenant_id", "tenant_id"),))] and len(found["tenant"]) == 6


def test_a_step_is_read_from_the_table_that_it_leaves() -> None:
    pet = table("pet", "owner_id")
    assert steps(pet, table("owner", "id"))["owner"] == [Step("pet", (("id", "owner_id"),))]


def test_columns_that_keys_connect_hold_one_thing() -> None:
    staff = table("staff", "Id", key="Id", refers={"Id": "person"})
    sale = table("sale", "id", "seller", "buyer", key="id", refers={"seller": "staff", "buyer": "person"})
    found = steps(table("person", "id", "name", key="id"), staff, sale)
    people = {("person", "id"), ("staff", "id"), ("sale", "seller"), ("sale", "buyer")}
    assert one_thing(found, "sale", "seller") == one_thing(found, "sale", "buyer") == people
    assert one_thing(found, "sale", "id") == one_thing(found, "person", "name") == set()


def test_of_tables_of_one_name_the_one_in_the_same_namespace_is_meant() -> None:
    tables = [table("customer", "id", key="id"), table("sale", "customer_id")]
    found = steps(*(replace(each, namespace=space) for space in ("raw", "marts") for each in tables))
    assert {step.end for step in found["raw.sale"]} == {"raw.customer", "marts.sale"}


def test_of_two_tables_with_one_primary_key_either_may_be_declared() -> None:
    users, profiles = table("users", "user_id", key="user_id"), table("profiles", "user_id", key="user_id")
    sale = table("sale", "buyer", refers={"buyer": "users"})
    for order in ((users, profiles, sale), (profiles, users, sale)):
        assert ("profiles", "user_id") in one_thing(steps(*order), "sale", "buyer")


def test_a_primary_key_that_every_table_has_joins_none() -> None:
    assert steps(*(table(f"t{number}", "row_id", key="row_id") for number in range(6))) == {}


def test_a_table_may_be_named_in_the_plural() -> None:
    found = steps(table("product", "category_id", "shop_id"), table("categories", "id"), table("shops", "id"))
    assert [step.end for step in found["product"]] == ["categories", "shops"]


def test_the_table_that_is_named_exactly_so_is_meant() -> None:
    tables = [table("user", "id"), table("users", "id"), table("pet", "user_id", "name")]
    for order in (tables, tables[::-1]):
        assert [step.end for step in steps(*order)["pet"]] == ["user"]
