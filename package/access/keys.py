"""`[callers.NAME]` of `databases.toml`: who may call the HTTP server, and what each may see.

[callers.analyst]
token = "${ANALYST_TOKEN}"            # a variable of the environment, so that the file holds no key
allow = ["shop:customer", "shop:orders"]   # as in a database's table; shop: is for that database alone
hide = ["customer.email"]

[callers.dashboard]
key_sha256 = "9f86d081884c7d65…"      # or the SHA-256 of the key, as `sha256sum` prints it
"""

import hmac
import os
import re
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from route_sql.access.callers import Caller
from route_sql.tools.errors import InvalidInput
from route_sql.tools.schema.rights.visibility import Visibility

LEAST_CHARS = 16
"""Least number of characters of a key, since nothing else protects the rows."""
FIELDS = {"token", "key_sha256", "allow", "hide"}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"\$\{(\w+)\}")


class Callers:
    """Callers by their keys, of which only digests are kept."""

    def __init__(self, keys: Mapping[str, Caller], digests: Mapping[bytes, Caller] | None = None) -> None:
        """Keep callers by the SHA-256 of their keys, which may be given instead of a key."""
        self._digests = {**{_digest(key): caller for key, caller in keys.items()}, **(digests or {})}

    def __len__(self) -> int:
        """Number of callers."""
        return len(self._digests)

    def names(self) -> list[str | None]:
        """Names of the callers."""
        return [caller.name for caller in self._digests.values()]

    def of(self, key: str) -> Caller | None:
        """The caller with a key; None if nobody has it. It takes the same time for each key."""
        given = _digest(key)
        found = [caller for digest, caller in self._digests.items() if hmac.compare_digest(digest, given)]
        return found[0] if found else None


def read_callers(path: Path, environ: Mapping[str, str] = os.environ) -> Callers:
    """The callers of a catalog's file; none if there is no file or no `[callers.NAME]` in it.

    Raises:
        InvalidInput: an entry is wrong, its variable is not set, or two callers have the same key.
    """
    if not path.is_file():
        return Callers({})
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"the callers in {path} can't be read: it is not valid TOML") from error
    entries = content.get("callers", {})
    if not isinstance(entries, dict):
        raise InvalidInput(f"callers in {path} must be tables such as [callers.analyst]")
    digests: dict[bytes, Caller] = {}
    for name, entry in entries.items():
        digest, caller = _caller(name, entry, f"[callers.{name}] in {path}", environ)
        if digest in digests:
            raise InvalidInput(f"{name} and {digests[digest].name} in {path} have the same key; give each its own")
        digests[digest] = caller
    return Callers({}, digests)


def _caller(name: str, entry: Any, place: str, environ: Mapping[str, str]) -> tuple[bytes, Caller]:
    if not isinstance(entry, dict) or set(entry) - FIELDS or len({"token", "key_sha256"} & set(entry)) != 1:
        raise InvalidInput(f"{place} needs a token or key_sha256 and may have allow and hide, and nothing else")
    for field in ("allow", "hide"):
        names = entry.get(field, [])
        if not isinstance(names, list) or not all(isinstance(each, str) and each.strip() for each in names):
            raise InvalidInput(f'{place}: {field} must be a list of names, such as ["shop:customer"]')
    allow = tuple(entry["allow"]) if "allow" in entry else None
    digest = _digest(_key(entry["token"], place, environ)) if "token" in entry else _hash(entry["key_sha256"], place)
    return digest, Caller(name, Visibility(allow, tuple(entry.get("hide", []))))


def _hash(value: Any, place: str) -> bytes:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise InvalidInput(
            f"{place}: key_sha256 must be the SHA-256 of a key as 64 hexadecimal digits, such as "
            "`printf %s KEY | sha256sum` prints"
        )
    return bytes.fromhex(value)


def _key(value: Any, place: str, environ: Mapping[str, str]) -> str:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(f'{place}: token must name a variable of the environment, such as "${{ANALYST_TOKEN}}"')
    key = environ.get(match[1], "")
    if len(key) < LEAST_CHARS or not key.isascii() or not key.isprintable() or " " in key:
        raise InvalidInput(
            f"{place} needs the environment variable {match[1]}: a key of {LEAST_CHARS} or more ASCII characters "
            "without blanks, such as `openssl rand -hex 32` prints"
        )
    return key


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()
