"""The embedded server with settings of llama.cpp that it does not offer: speculation, or a cache in eight bits."""

from pathlib import Path

from route_sql.serving.embedded.server import EmbeddedServer

CHILD = str(Path(__file__).with_name("changed_child.py"))


class SpeculatingServer(EmbeddedServer):
    """Drafts tokens from n-grams that the prompt or the reply has already."""

    program = (CHILD, "speculation")


class EightBitCacheServer(EmbeddedServer):
    """Keeps keys and values in eight bits, which needs flash attention."""

    program = (CHILD, "eight-bit-cache")
