"""The address of a server, and the further names and pages that may call it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """An address to listen on, and further values that the headers Host and Origin may have."""

    host: str
    port: int
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
