"""Who may call the HTTP app: keys and their rights, threads of two keys, hosts, origins, bodies, limits."""

import asyncio
import re
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from support.api_app import APPROVING, ASKED, ORIGIN, STREAM, Running, hanging, serving_api

from route_sql.api.service import ServiceLimits
from route_sql.doors.callers import Caller
from route_sql.doors.door import caller_in
from route_sql.doors.listening import own_origins
from route_sql.doors.tokens import read_callers
from route_sql.tools.errors import InvalidInput

ANALYST, GUEST = "analyst-token-0123456789", "guest-token-0123456789ab"
CALLERS = f"""
[callers.analyst]
token = "${{ANALYST_TOKEN}}"
hide = ["owner.phone"]

[callers.guest]
key_sha256 = "{sha256(GUEST.encode()).hexdigest()}"
allow = ["pets:pet"]
"""
KEYS: dict[str, Any] = {"callers": CALLERS, "environ": {"ANALYST_TOKEN": ANALYST}}
NOWHERE = "0" * 32
OPEN = ("/", "/health", "/ready", "/metrics", "/openapi.json")
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


def test_one_token_given_twice_is_refused_in_both_forms(tmp_path: Path) -> None:
    hashed = sha256(ANALYST.encode()).hexdigest()
    text = f'[callers.a]\ntoken = "${{ANALYST_TOKEN}}"\n[callers.b]\nkey_sha256 = "{hashed}"\n'
    (tmp_path / "databases.toml").write_text(text)
    with pytest.raises(InvalidInput, match="same token"):
        read_callers(tmp_path / "databases.toml", {"ANALYST_TOKEN": ANALYST})


def test_a_request_that_came_through_no_door_has_no_caller() -> None:
    with pytest.raises(InvalidInput):
        caller_in({"type": "http"})
    assert caller_in({"route_sql.caller": Caller("analyst")}).name == "analyst"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost:80@evil.example", ""])
async def test_a_page_that_points_its_name_at_loopback_is_refused(tmp_path: Path, host: str) -> None:
    async with serving_api(tmp_path) as running, running.client(Host=host) as http:
        for path in ("/", "/v1/databases", "/metrics", "/openapi.json", "/static/index.html"):
            reply = await http.get(path)
            assert reply.status_code == 421 and reply.json()["error"]["code"] == "host"
        assert (await http.get("/health")).status_code == 200, "a probe knows an address only"


async def test_only_own_and_allowed_pages_may_call(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        port = running.url.rpartition(":")[2]
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1", f"{ORIGIN}.evil", f"{ORIGIN}:443"):
            for path in ("/v1/databases", "/health"):
                assert (await http.get(path, headers={"Origin": origin})).status_code == 403, origin
            asks = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            assert (await http.options("/v1/ask", headers=asks)).status_code == 403
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            assert (await http.post("/v1/ask", json=ASKED, headers={"Origin": origin})).status_code == 200
        asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
        allowed = await http.options("/v1/ask", headers={**asks, "Access-Control-Request-Headers": "authorization"})
        assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in allowed.headers
        reply = await http.get("/v1/databases", headers={"Origin": ORIGIN})
        assert reply.headers["access-control-allow-origin"] == ORIGIN


def test_own_pages_behind_a_proxy_have_no_port() -> None:
    assert "https://sql.example" in own_origins(["sql.example:443"])
    assert "https://sql.example" in own_origins(["sql.example"])
    assert "http://[::1]:8000" in own_origins(["[::1]:8000"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_bodies_that_a_page_may_send_unasked_are_refused(tmp_path: Path, kind: str) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        for path in ("/v1/ask", "/v1/run", "/v1/check", f"/v1/threads/{NOWHERE}/resume"):
            assert (await http.post(path)).status_code == 400
            assert (await http.post(path, content=b"{}", headers={"Content-Type": kind})).status_code == 415


HOSTILE: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"5",
    b'"x"',
    b"\xff\xfe",
    b"{" + b'"a":' * 5000,
    b"[" * 100_000,
    b'{"question": "x", "database": "pets", "question2": 1}',
    b'{"question": 5, "database": "pets"}',
    b'{"question": " ", "database": "pets"}',
    b'{"question": "\\ud800", "database": "pets"}',
    b'{"question": "a\\u0000b", "database": "pets"}',
    b'{"question": "x", "database": "pets", "evidence": "\\udfff"}',
    b'{"question": "x", "database": ["pets"]}',
    b'{"question": "x", "database": "pets", "thread": "../../etc"}',
    b'{"question": "x", "database": "pets", "options": {"allow": ["*"]}}',
    b'{"question": "x", "database": "pets", "options": {"hide": []}}',
    b'{"question": "x", "database": "pets", "options": {"asked_by": "root"}}',
    b'{"question": "x", "database": "pets", "options": {"keep_prompts": true}}',
    b'{"question": "x", "database": "pets", "options": {"seconds": 1e9}}',
    b'{"question": "x", "database": "pets", "options": {"seconds": NaN}}',
    b'{"question": "x", "database": "pets", "options": {"seconds": -1}}',
    b'{"question": "x", "database": "pets", "options": {"max_corrections": 1000}}',
    b'{"question": "x", "database": "pets", "options": {"max_tokens": 1e400}}',
    b'{"question": "x", "database": "pets", "options": {"row_limit": true}}',
    b'{"question": "x", "database": "pets", "options": {"approve": "false"}}',
    b'{"question": "x", "database": "pets", "options": {"strategy": "other"}}',
    b'{"question": "x", "database": "pets", "options": {"without": ["execute"]}}',
    b'{"question": "' + b"x" * 4001 + b'", "database": "pets"}',
    b'{"question": "x", "database": "pets", "options": {"row_limit": ' + b"9" * 5000 + b"}}",
]


async def test_hostile_bodies_get_one_sentence_and_the_server_lives(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        for body in HOSTILE:
            reply = await http.post("/v1/ask", content=body, headers={"Content-Type": "application/json"})
            error = reply.json()["error"]
            assert reply.status_code == 400 and error["code"] == "bad_input", (body[:80], reply.text)
            assert re.fullmatch(r"[A-Z][^\n]{10,400}\.", error["message"]), error
            assert error["request_id"] == reply.headers["x-request-id"]
            assert "Traceback" not in reply.text and "site-packages" not in reply.text
        assert (await http.get("/v1/threads")).json() == {"threads": []}
        assert (await http.post("/v1/ask", json=ASKED)).status_code == 200


async def test_statements_and_paths_that_are_hostile(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        for sql in ("x" * 20_001, "", " ", "\0", "\ud800"):
            content = f'{{"sql": {_json(sql)}, "database": "pets"}}'.encode()
            reply = await http.post("/v1/check", content=content, headers={"Content-Type": "application/json"})
            assert reply.status_code == 400
        for sql in ("DROP TABLE pet", "(" * 5000, "SELECT " + "1+" * 9000 + "1", "SELECT '\u202e'"):
            assert (await http.post("/v1/check", json={"sql": sql, "database": "pets"})).status_code == 200
        for path in (
            "/v1/threads/x",
            "/v1/threads/..%2f",
            f"/v1/threads/{'A' * 32}",
            "/v1/schema",
            "/v1/schema?database=",
        ):
            assert (await http.get(path)).status_code in (400, 404), path
        for name in ("..%2fapp.py", "%2e%2e/app.py", "__init__.py", "index.html%00", ""):
            assert (await http.get(f"/static/{name}")).status_code == 404, name
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"):
            assert (await http.request(method, "/v1/databases", json={})).status_code == 405
        for page in ("/docs", "/redoc", "/v1", "/v1/"):
            assert (await http.get(page)).json()["error"]["code"] == "not_found"


def _json(text: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in text) + '"'


async def test_every_answer_has_the_safe_headers(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        thread = (await http.post("/v1/ask", json=ASKED)).json()["thread"]
        replies = [
            *[await http.get(path) for path in (*OPEN, "/nothing", "/v1/databases", "/v1/schema")],
            await http.post("/v1/ask", json=ASKED, headers=STREAM),
            await http.get("/health", headers={"Origin": "https://evil.example"}),
            await http.post("/v1/ask", content=b"x" * 300_000, headers={"Content-Type": "application/json"}),
        ]
        for reply in replies:
            assert reply.headers["content-security-policy"] == (
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
            assert reply.headers["x-content-type-options"] == "nosniff"
            assert reply.headers["referrer-policy"] == "no-referrer"
            assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
        report = await http.get(f"/v1/threads/{thread}/report")
        policy = report.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-") and policy.endswith("sandbox")
        assert "script" not in policy and "unsafe" not in policy


@pytest.mark.parametrize("given", ["a b", "x" * 65, "é", 'a"b', "a{b}"])
async def test_a_request_id_that_is_no_plain_word_is_replaced(tmp_path: Path, given: str) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        reply = await http.get("/health", headers=[("X-Request-ID", given.encode())])  # type: ignore[arg-type]
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


def host_of(running: Running) -> str:
    return running.url.partition("//")[2]


async def raw(running: Running, *lines: str, body: bytes = b"") -> tuple[int, bytes]:
    """The answer to a request as it is written here."""
    host, port = host_of(running).split(":")
    reader, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/run"])
async def test_a_body_is_bounded_whether_its_length_is_said_or_not(tmp_path: Path, path: str) -> None:
    async with serving_api(tmp_path) as running:
        head = (f"POST {path} HTTP/1.1", f"Host: {host_of(running)}", "Content-Type: application/json")
        said = await raw(running, *head, "Content-Length: 300000", body=b"{}")
        assert said[0] == 413 and b"too_large" in said[1]
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        unsaid = await raw(running, *head, "Transfer-Encoding: chunked", body=chunk * 5)
        assert unsaid[0] == 413


async def test_two_hosts_two_tokens_or_two_kinds_of_body_are_refused(tmp_path: Path) -> None:
    async with serving_api(tmp_path, **KEYS) as running:
        host = f"Host: {host_of(running)}"
        both = ("Authorization: Bearer x", f"Authorization: Bearer {ANALYST}")
        assert (await raw(running, "GET /v1/databases HTTP/1.1", host, *both))[0] == 401
        assert (await raw(running, "GET /v1/databases HTTP/1.1", host, f"Authorization: Basic {ANALYST}"))[0] == 401
        assert (await raw(running, "GET /v1/databases HTTP/1.1", host, "Host: evil.example", both[1]))[0] in (400, 421)
        kinds = ("Content-Type: application/json", "Content-Type: text/plain", "Content-Length: 2")
        assert (await raw(running, "POST /v1/ask HTTP/1.1", host, both[1], *kinds, body=b"{}"))[0] == 415
        assert (await raw(running, "GET /health HTTP/1.1", host))[0] == 200


async def test_a_key_may_send_so_many_requests_and_another_is_not_affected(tmp_path: Path) -> None:
    limits = ServiceLimits(per_minute=3)
    async with (
        serving_api(tmp_path, **KEYS, limits=limits) as running,
        running.client(ANALYST) as analyst,
        running.client(GUEST) as guest,
    ):
        replies = [await analyst.get("/v1/threads") for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
        assert 1 <= int(replies[-1].headers["retry-after"]) <= 20
        assert (await guest.get("/v1/threads")).status_code == 200
        assert (await analyst.get("/health")).status_code == 200
        running.service.rate.per_minute = 60_000
        await asyncio.sleep(0.05)
        assert (await analyst.get("/v1/threads")).status_code == 200


async def test_questions_at_once_are_bounded_and_those_too_many_say_so(tmp_path: Path) -> None:
    model = hanging()
    limits = ServiceLimits(questions=1, waiting=1, per_minute=0)
    async with serving_api(tmp_path, model, limits=limits) as running, running.client() as http:
        asked = [asyncio.create_task(http.post("/v1/ask", json=ASKED)) for _ in range(2)]
        while (running.service.slots.running, running.service.slots.waiting) != (1, 1):
            await asyncio.sleep(0.01)
        figures = (await http.get("/metrics")).text
        assert "route_sql_running 1.0" in figures and "route_sql_waiting 1.0" in figures
        for headers in ({}, STREAM):
            full = await http.post("/v1/ask", json=ASKED, headers=headers)
            assert full.status_code == 503 and full.headers["retry-after"]
        assert (await http.get("/v1/databases")).status_code == 200
        model.released.set()
        assert {(await each).status_code for each in asked} == {200}
        assert (running.service.slots.running, running.service.slots.waiting) == (0, 0)
        assert len((await http.get("/v1/threads")).json()["threads"]) == 2, "a refused question leaves no thread"
