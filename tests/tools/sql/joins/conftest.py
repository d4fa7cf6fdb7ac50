"""The library that joins are repaired on."""

import sqlite3
from collections.abc import Iterator

import pytest
from support.library import empty_library


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with empty_library() as connection:
        yield connection
