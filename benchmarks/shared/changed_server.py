"""The embedded server with settings of llama.cpp that it does not offer: n-gram speculation, or a cache in eight bits.

`python changed_server.py SETTING` is the child process.
"""

import sys
from typing import Any

from route_sql.serving.embedded.child import main
from route_sql.serving.embedded.server import EmbeddedServer


class SpeculatingServer(EmbeddedServer):
    """Drafts tokens from n-grams that the prompt or the reply has already."""

    program = (__file__, "speculation")


class EightBitCacheServer(EmbeddedServer):
    """Keeps keys and values in eight bits, which needs flash attention."""

    program = (__file__, "eight-bit-cache")


def change(params: Any) -> None:
    """Change the settings that the command line names."""
    import xllamacpp  # not before the child has prepared its output

    if sys.argv[1] == "speculation":
        params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
    else:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0


if __name__ == "__main__":
    main(change)
