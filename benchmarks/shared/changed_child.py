"""Child process of the servers in `changed_server.py`: `python changed_child.py SETTING`; it is never imported."""

import sys
from typing import Any

from route_sql.serving.embedded.child import main


def change(params: Any) -> None:
    """Change the settings that the command line names."""
    import xllamacpp  # not before the child has prepared its output

    if sys.argv[1] == "speculation":
        params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
    else:
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0


main(change)
