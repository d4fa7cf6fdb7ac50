"""A tokenizer of the kind of Llama 2, Mistral and CodeLlama: pieces with scores, bytes where no piece fits.

It is trained on the agents' own source.
"""

import json
from pathlib import Path
from typing import Any

import gguf
from support.tiny_model import END_OF_TURN, START_OF_TURN, VOCABULARY
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaTokenizer

import route_sql.agents

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_TURNS = [START_OF_TURN, END_OF_TURN]


def pieces_tokenizer(template: str) -> Any:
    """The tokenizer in transformers' form."""
    core = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.pre_tokenizer = pre_tokenizers.Split("\n", "isolated")
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(_TURNS),
        special_tokens=[UNKNOWN, BEGIN, END, *_BYTES],
        show_progress=False,
        max_token_length=16,
    )
    sources = sorted(Path(path) for folder in route_sql.agents.__path__ for path in Path(folder).glob("*.py"))
    core.train_from_iterator([path.read_text(encoding="utf-8") for path in sources], trainer)
    state = json.loads(core.to_str())["model"]
    vocabulary = state["vocab"] | {token: len(state["vocab"]) + place for place, token in enumerate(_TURNS)}
    assert len(vocabulary) == VOCABULARY, "the agents' source has too little text for the vocabulary"
    return LlamaTokenizer(
        vocab=vocabulary,
        merges=[tuple(merge) for merge in state["merges"]],
        eos_token=END_OF_TURN,
        pad_token=END,
        additional_special_tokens=[START_OF_TURN],
        chat_template=template,
    )


def add_pieces(writer: gguf.GGUFWriter, tokenizer: Any, spaces: bool) -> None:
    """Write the tokenizer into a GGUF file; with `spaces` a text after a special token begins with a space."""
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    scores = {"".join(merge): -float(place) for place, merge in reversed(list(enumerate(merges)))}
    kinds = {UNKNOWN: gguf.TokenType.UNKNOWN} | dict.fromkeys(_BYTES, gguf.TokenType.BYTE)
    kinds |= dict.fromkeys([BEGIN, END, *_TURNS], gguf.TokenType.CONTROL)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0 if token in kinds else scores.get(token, -1e4) for token in tokens])
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in tokens])
    writer.add_bos_token_id(ids[BEGIN])
    writer.add_eos_token_id(ids[END_OF_TURN])
    writer.add_unk_token_id(ids[UNKNOWN])
    writer.add_pad_token_id(ids[END])
    writer.add_add_space_prefix(spaces)
