"""Checkpoints in fewer bytes: a serializer for checkpointers that compresses what it writes."""

import zlib
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

TAG = "-deflate"
"""End of the type of a compressed value. `EncryptedSerializer` of LangGraph names its cipher after the first `+`."""
LEAST = 100
"""Bytes from which compression pays."""


class CompressedSerializer(JsonPlusSerializer):
    """LangGraph's serializer, compressed: `SqliteSaver(connection, serde=CompressedSerializer())`.

    Each checkpoint holds a table of versions and the small values of the state again, so it compresses to a third.
    Checkpoints that were written without compression can still be read.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """The type and the bytes of a value."""
        kind, data = super().dumps_typed(obj)
        if len(data) < LEAST:
            return kind, data
        return f"{kind}{TAG}", zlib.compress(data)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """The value of a type and bytes, compressed or not."""
        kind, stored = data
        if not kind.endswith(TAG):
            return super().loads_typed(data)
        return super().loads_typed((kind.removesuffix(TAG), zlib.decompress(stored)))
