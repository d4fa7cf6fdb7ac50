"""Callers of the HTTP app: keys, their rights, and threads of two keys."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from support.api_app import (
    ANALYST,
    APPROVING,
    ASKED,
    CALLERS,
    GUEST,
    KEYS,
    NOWHERE,
    OPEN,
    PLAIN,
    host_of,
    raw,
    serving_api,
)

from route_sql.access.access_check import caller_in
from route_sql.access.callers import Caller
from route_sql.access.keys import read_callers
from route_sql.tools.errors import InvalidInput

CLOSED = [
    ("GET", "/v1/databases"),
    ("GET", "/v1/schema?database=pets"),
    ("POST", "/v1/check"),
    ("POST", "/v1/run"),
    ("POST", "/v1/ask"),
    ("GET", "/v1/threads"),
    ("GET", f"/v1/threads/{NOWHERE}"),
    ("DELETE", f"/v1/threads/{NOWHERE}"),
    ("POST", f"/v1/threads/{NOWHERE}/resume"),
    ("GET", f"/v1/threads/{NOWHERE}/report"),
    ("GET", "/v1/nothing"),
]


async def test_every_address_below_v1_needs_a_key_and_no_other_does(tmp_path: Path) -> None:
    async with serving_api(tmp_path, **KEYS) as running, running.client() as http:
        for path in OPEN:
            assert (await http.get(path)).status_code == 200, path
        for method, path in CLOSED:
            for key in (None, "x", f"{ANALYST}x", ANALYST.upper()):
                sent = {"Authorization": f"Bearer {key}"} if key else {}
                reply = await http.request(method, path, headers={"Content-Type": "application/json", **sent})
                assert reply.status_code == 401 and reply.json()["error"]["code"] == "no_token", (path, key)
                assert reply.headers["www-authenticate"] == "Bearer"
        documented = (await http.get("/openapi.json")).json()["paths"]
        routes = {(method.upper(), path) for path, methods in documented.items() for method in methods}
        known = {(method, path.partition("?")[0].replace(NOWHERE, "{thread}")) for method, path in CLOSED}
        assert {(method, path) for method, path in routes if path.startswith("/v1/")} == known - {
            ("GET", "/v1/nothing")
        }


async def test_other_spellings_of_an_address_are_no_way_around_the_key(tmp_path: Path) -> None:
    async with serving_api(tmp_path, **KEYS) as running, running.client() as http:
        for path in ("//v1/databases", "/V1/databases", "/%76%31/databases", "/x/../v1/databases", "/v1%2fdatabases"):
            assert (await raw(running, f"GET {path} HTTP/1.1", f"Host: {host_of(running)}"))[0] in (401, 404), path
        assert (await http.get("/v1/databases")).status_code == 401


async def test_each_key_sees_what_its_rights_show(tmp_path: Path) -> None:
    async with (
        serving_api(tmp_path, **KEYS) as running,
        running.client(ANALYST) as analyst,
        running.client(GUEST) as guest,
    ):
        listed = (await guest.get("/v1/databases")).json()["databases"]
        assert listed == [{"name": "pets", "engine": "sqlite"}]
        assert [each["name"] for each in (await analyst.get("/v1/databases")).json()["databases"]] == ["pets", "zoo"]
        phones = {"sql": "SELECT phone FROM owner", "database": "pets"}
        for client, hidden in ((analyst, "phone"), (guest, "owner")):
            assert hidden not in (await client.get("/v1/schema", params={"database": "pets"})).text
            checked = (await client.post("/v1/check", json=phones)).json()
            assert checked["allowed"] is False and checked["reason"]
            edited = (await client.post("/v1/ask", json=APPROVING)).json()
            edit = {"type": "edit", "sql": phones["sql"]}
            answer = (await client.post(f"/v1/threads/{edited['thread']}/resume", json=edit)).json()["answer"]
            assert answer["rows"] == [] and "555" not in str(answer)
        assert (await guest.get("/v1/schema?database=zoo")).status_code == 404
        assert (await guest.post("/v1/ask", json={**ASKED, "database": "zoo"})).status_code == 404
        assert (await guest.post("/v1/check", json={**phones, "database": "zoo"})).status_code == 404
        names = [(await guest.get("/v1/schema", params={"database": name})).json() for name in ("zoo", "nowhere")]
        assert names[0]["error"]["message"] == names[1]["error"]["message"]


async def test_the_rights_of_the_server_itself_narrow_those_of_every_key(tmp_path: Path) -> None:
    context = replace(PLAIN, hide=("pets:pet.kind",))
    async with serving_api(tmp_path, context=context, **KEYS) as running, running.client(ANALYST) as analyst:
        shown = (await analyst.get("/v1/schema?database=pets")).json()["tables"]
        columns = {f"{table['name']}.{column['name']}" for table in shown for column in table["columns"]}
        assert "pet.name" in columns and not {"pet.kind", "owner.phone"} & columns
        for sql in ("SELECT kind FROM pet", "SELECT phone FROM owner"):
            statement = {"sql": sql, "database": "pets"}
            assert (await analyst.post("/v1/check", json=statement)).json()["allowed"] is False
            given = (await analyst.post("/v1/run", json=statement)).json()["answer"]
            assert given["rows"] == [] and "dog" not in str(given) and "555" not in str(given)


async def test_a_thread_of_another_key_is_as_one_that_does_not_exist(tmp_path: Path) -> None:
    async with (
        serving_api(tmp_path, **KEYS) as running,
        running.client(ANALYST) as analyst,
        running.client(GUEST) as guest,
    ):
        mine = (await analyst.post("/v1/ask", json=APPROVING)).json()["thread"]
        for thread in (mine, NOWHERE):
            place = f"/v1/threads/{thread}"
            replies = [
                await guest.get(place),
                await guest.get(f"{place}/report"),
                await guest.delete(place),
                await guest.post(f"{place}/resume", json={"type": "approve"}),
                await guest.post("/v1/ask", json={**ASKED, "thread": thread}),
            ]
            assert [reply.status_code for reply in replies] == [404] * 5
            assert len({reply.json()["error"]["message"] for reply in replies}) == 1
        assert (await guest.get("/v1/threads")).json() == {"threads": []}
        assert (await analyst.get(f"/v1/threads/{mine}")).json()["turns"][0]["state"] == "needs_approval"


async def test_a_thread_is_gone_when_the_catalog_hides_more(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
    toml = tmp_path / "databases.toml"
    for hidden, status in (('["owner"]', 404), ("[]", 200)):
        entry = f'[databases.pets]\nurl = "sqlite:///pets.sqlite"\nhide = {hidden}\n'
        toml.write_text(entry)
        async with serving_api(tmp_path) as running, running.client() as http:
            assert (await http.get(f"/v1/threads/{thread}")).status_code == status
            assert len((await http.get("/v1/threads")).json()["threads"]) == (status == 200)


async def test_a_database_that_is_away_is_listed_for_those_who_see_all_of_it(tmp_path: Path) -> None:
    async with (
        serving_api(tmp_path, **KEYS) as running,
        running.client(ANALYST) as analyst,
        running.client(GUEST) as guest,
    ):
        mine = (await guest.post("/v1/ask", json=ASKED)).json()["thread"]
        (tmp_path / "pets.sqlite").write_text("no database")
        names = [each["name"] for each in (await analyst.get("/v1/databases")).json()["databases"]]
        assert names == ["zoo"] and (await guest.get("/v1/databases")).json() == {"databases": []}
        away = await analyst.post("/v1/ask", json=ASKED)
        assert away.status_code == 503 and str(tmp_path) not in away.text
        assert (await guest.get(f"/v1/threads/{mine}")).status_code == 200
    async with serving_api(tmp_path) as running, running.client() as http:
        names = [each["name"] for each in (await http.get("/v1/databases")).json()["databases"]]
        assert names == ["pets", "zoo"]


async def test_a_thread_is_gone_when_more_is_hidden_from_its_key(tmp_path: Path) -> None:
    narrower = CALLERS.replace('hide = ["owner.phone"]', 'hide = ["owner"]')
    threads: list[str] = []
    for callers, own in ((CALLERS, 1), (narrower, 0)):
        async with serving_api(tmp_path, **{**KEYS, "callers": callers}) as running, running.client(ANALYST) as http:
            threads += [] if threads else [(await http.post("/v1/ask", json=ASKED)).json()["thread"]]
            assert len((await http.get("/v1/threads")).json()["threads"]) == own
            assert (await http.get(f"/v1/threads/{threads[0]}")).status_code == (200 if own else 404)
    async with serving_api(tmp_path) as running, running.client() as http:
        assert (await http.get("/v1/threads")).json() == {"threads": []}, "the owner of the process is not a key"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('key_sha256 = "short"', "64 hexadecimal"),
        (f'key_sha256 = "{"G" * 64}"', "64 hexadecimal"),
        ("key_sha256 = 5", "64 hexadecimal"),
        (f'key_sha256 = "{"0" * 64}"\ntoken = "${{ANALYST_TOKEN}}"', "token or key_sha256"),
    ],
)
def test_a_wrong_hash_is_an_error_that_says_what_to_do(tmp_path: Path, entry: str, said: str) -> None:
    (tmp_path / "databases.toml").write_text(f"[callers.analyst]\n{entry}\n")
    with pytest.raises(InvalidInput, match=said):
        read_callers(tmp_path / "databases.toml", {"ANALYST_TOKEN": ANALYST})


def test_one_key_given_twice_is_refused_in_both_forms(tmp_path: Path) -> None:
    hashed = sha256(ANALYST.encode()).hexdigest()
    text = f'[callers.a]\ntoken = "${{ANALYST_TOKEN}}"\n[callers.b]\nkey_sha256 = "{hashed}"\n'
    (tmp_path / "databases.toml").write_text(text)
    with pytest.raises(InvalidInput, match="same key"):
        read_callers(tmp_path / "databases.toml", {"ANALYST_TOKEN": ANALYST})


def test_a_request_that_passed_no_access_check_has_no_caller() -> None:
    with pytest.raises(InvalidInput):
        caller_in({"type": "http"})
    assert caller_in({"route_sql.caller": Caller("analyst")}).name == "analyst"
