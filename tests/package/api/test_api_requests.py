"""Requests that the HTTP app refuses: hosts, origins, hostile bodies, and more than its limits allow."""

import asyncio
import re
from pathlib import Path

import pytest
from support.api_app import (
    ANALYST,
    ASKED,
    GUEST,
    KEYS,
    NOWHERE,
    OPEN,
    ORIGIN,
    STREAM,
    hanging,
    host_of,
    raw,
    serving_api,
)

from route_sql.access.listening import own_origins
from route_sql.api.service import ServiceLimits


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


async def test_an_allowed_page_can_read_why_it_is_refused(tmp_path: Path) -> None:
    async with serving_api(tmp_path, **KEYS) as running, running.client() as http:
        known = {"Origin": ORIGIN, "Authorization": f"Bearer {ANALYST}"}
        unkeyed = await http.get("/v1/databases", headers={"Origin": ORIGIN})
        unread = await http.post("/v1/check", content=b"{}", headers={**known, "Content-Type": "text/plain"})
        for reply, status in ((unkeyed, 401), (unread, 415)):
            assert reply.status_code == status and reply.headers["access-control-allow-origin"] == ORIGIN
            assert reply.headers["x-request-id"]
        other = await http.get("/v1/databases", headers={"Origin": "https://evil.example"})
        assert other.status_code == 403 and "access-control-allow-origin" not in other.headers


async def test_head_is_get_without_a_body(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        for path in ("/", "/health", "/v1/databases", "/nothing"):
            asked, head = await http.get(path), await http.head(path)
            assert head.status_code == asked.status_code and head.content == b"", path
            assert head.headers["content-type"] == asked.headers["content-type"]
        assert (await http.head("/v1/ask")).status_code == 405


def test_own_pages_behind_a_proxy_have_no_port() -> None:
    assert "https://sql.example" in own_origins(["sql.example:443"])
    assert "https://sql.example" in own_origins(["sql.example"])
    assert "http://[::1]:8000" in own_origins(["[::1]:8000"])


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
async def test_bodies_that_a_page_may_send_unasked_are_refused(tmp_path: Path, kind: str) -> None:
    async with serving_api(tmp_path) as running, running.client() as http:
        for path in ("/v1/ask", "/v1/check", f"/v1/threads/{NOWHERE}/resume"):
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
    b'{"question": "x", "question": "x", "database": "pets"}',
    b'{"question": "x", "database": "pets", "options": {"approve": true, "approve": false}}',
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
        for path, methods in ((f"/v1/threads/{'a' * 32}", "DELETE, GET"), ("/v1/ask", "POST"), ("/health", "GET")):
            assert (await http.request("OPTIONS", path)).headers["Allow"] == methods
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


async def test_a_body_is_bounded_whether_its_length_is_said_or_not(tmp_path: Path) -> None:
    async with serving_api(tmp_path) as running:
        head = ("POST /v1/ask HTTP/1.1", f"Host: {host_of(running)}", "Content-Type: application/json")
        said = await raw(running, *head, "Content-Length: 300000", body=b"{}")
        assert said[0] == 413 and b"too_large" in said[1]
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        # One byte too many: a connection closed with unread bytes is reset, and the reset may overtake the answer.
        unsaid = await raw(running, *head, "Transfer-Encoding: chunked", body=chunk * 4 + b"1\r\n \r\n")
        assert unsaid[0] == 413


async def test_two_hosts_two_keys_or_two_kinds_of_body_are_refused(tmp_path: Path) -> None:
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
