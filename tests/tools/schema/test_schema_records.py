"""Restricting a schema keeps the keys that join what stays and invents nothing."""

from hypothesis import given
from hypothesis import strategies as st

from route_sql.tools.schema.records import Column, ForeignKey, Link, Schema, Table


def table(name: str, columns: str, refers_to: str = "", key: str = "id") -> Table:
    """A table whose column `x_id` refers to table `x`."""
    keys = tuple(ForeignKey((f"{target}_id",), target, ("id",)) for target in refers_to.split())
    primary = (key,) if key in columns.split() else ()
    return Table(name, tuple(Column(c, "TEXT") for c in columns.split()), primary_key=primary, foreign_keys=keys)


SHOP = Schema(
    "sqlite",
    (
        table("Customer", "id name city"),
        table("Product", "id title price"),
        table("Purchase", "Customer_id Product_id quantity", "Customer Product"),
        table("Country", "id name"),
        table("Region", "id name Country_id", "Country"),
        table("Shop", "id name Region_id", "Region"),
        table("Staff", "id name Shop_id", "Shop"),
        table("Log", "line text"),
    ),
)


def test_keeps_what_is_named_and_the_primary_key() -> None:
    kept = SHOP.restrict({"Customer": ["city"]})
    assert kept.names() == {"Customer": ["id", "city"]}


def test_both_ends_of_a_key_between_kept_tables_stay_and_other_keys_go() -> None:
    kept = SHOP.restrict({"Shop": ["name"], "Staff": ["name"]})
    assert kept.names() == {"Shop": ["id", "name"], "Staff": ["id", "name", "Shop_id"]}
    assert [key.target_table for t in kept for key in t.foreign_keys] == ["Shop"]


def test_a_link_table_comes_along_with_its_keys() -> None:
    kept = SHOP.restrict({"Customer": ["name"], "Product": ["title"]})
    assert kept.names() == {
        "Customer": ["id", "name"],
        "Product": ["id", "title"],
        "Purchase": ["Customer_id", "Product_id"],
    }


def test_a_table_between_two_comes_along_but_not_two_of_them() -> None:
    assert list(SHOP.restrict({"Country": [], "Shop": []}).names()) == ["Country", "Region", "Shop"]
    assert list(SHOP.restrict({"Country": [], "Staff": []}).names()) == ["Country", "Staff"]


def test_no_table_is_added_where_the_kept_ones_are_joined() -> None:
    link: Link = {"Country": [], "Region": [], "Shop": []}
    assert list(SHOP.restrict(link).names()) == list(link)


def test_a_link_table_is_preferred_to_one_that_both_refer_to() -> None:
    tables = (
        table("city", "id"),
        table("actor", "id city_id", "city"),
        table("film", "id city_id", "city"),
        table("cast", "actor_id film_id", "actor film"),
    )
    assert "city" not in Schema("sqlite", tables).restrict({"actor": [], "film": []}).names()
    assert "city" in Schema("sqlite", tables[:3]).restrict({"actor": [], "film": []}).names()


def test_names_are_found_in_any_case_and_unknown_ones_ignored() -> None:
    kept = SHOP.restrict({"CUSTOMER": ["CITY", "nothing"], "nowhere": ["id"]})
    assert kept.names() == {"Customer": ["id", "city"]}
    assert SHOP.restrict({"nowhere": []}).tables == ()


def test_a_table_without_columns_named_or_keys_keeps_all() -> None:
    assert SHOP.restrict({"Log": []}).names() == {"Log": ["line", "text"]}


def test_a_key_without_target_columns_points_to_the_primary_key() -> None:
    pair = Table("pair", (Column("p", ""), Column("q", ""), Column("r", "")), primary_key=("p", "q"))
    child = Table("child", (Column("M", ""), Column("n", "")), foreign_keys=(ForeignKey(("m", "n"), "PAIR"),))
    kept = Schema("sqlite", (pair, child)).restrict({"pair": ["r"], "child": ["n"]})
    assert kept.names() == {"pair": ["p", "q", "r"], "child": ["M", "n"]}


def test_two_tables_that_differ_in_case_only_are_told_apart() -> None:
    schema = Schema("postgres", (table("User", "id a"), table("user", "id b")))
    assert schema.restrict({"user": ["b"]}).names() == {"user": ["id", "b"]}
    assert schema.table("USER") is schema.tables[0]


NAMES = st.sampled_from(list(SHOP.names()) + ["nowhere"])
COLUMNS = st.lists(st.sampled_from(["id", "name", "price", "Region_id", "nothing"]))


@given(st.dictionaries(NAMES, COLUMNS))
def test_restricting_invents_nothing_and_loses_nothing_named(link: Link) -> None:
    kept = SHOP.restrict(link)
    whole = SHOP.names()
    for key, columns in kept.names().items():
        assert set(columns) <= set(whole[key])
        assert columns == [name for name in whole[key] if name in columns]
    for key, columns in link.items():
        assert set(columns) & set(whole.get(key, ())) <= set(kept.names().get(key, ()))
    assert kept.restrict(kept.names()) == kept


def test_everything_named_restricts_to_the_whole() -> None:
    assert SHOP.restrict(SHOP.names()) == SHOP
    assert SHOP.column_count() == 22


def test_fingerprint_follows_the_content() -> None:
    assert SHOP.fingerprint() == Schema("sqlite", SHOP.tables).fingerprint()
    assert SHOP.fingerprint() != SHOP.restrict({"Log": []}).fingerprint()
