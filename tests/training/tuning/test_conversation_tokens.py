"""Which tokens a model learns from, compared with what the server makes of the same messages."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.made_rows import row, write_rows
from support.tiny_model import END_OF_TURN
from transformers import AutoTokenizer

from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile
from route_sql.training.errors import TrainingError
from route_sql.training.tuning.conversation_tokens import IGNORED, encode, encode_file

REPLIES = [
    "SELECT 1",
    " FROM customer WHERE city = 'Zürich'",
    "\n\nSELECT 1\n",
    "",
    '{"customer": ["名前", "💡"]}',
    "SELECT   a,\tb FROM t WHERE x = 1234567 AND it's",
]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def server(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    model = ModelFile(tiny_gguf, "tiny", Profile(context=2048, cache_ram_mib=0))
    with EmbeddedServer(model, log_dir=tmp_path_factory.mktemp("log")) as running:
        yield running


def asked(server: EmbeddedServer, path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("reply", REPLIES)
def test_only_the_reply_and_the_end_of_its_turn_are_learned(tokenizer: Any, reply: str) -> None:
    prompt: Any = row("text_to_sql", 2)["prompt"]
    made = encode([prompt], [[{"role": "assistant", "content": reply}]], tokenizer)
    ids, labels = made["input_ids"][0], made["labels"][0]
    start = next(place for place, label in enumerate(labels) if label != IGNORED)
    assert labels == [IGNORED] * start + ids[start:]
    assert tokenizer.decode(ids[start:]) == reply + END_OF_TURN
    assert tokenizer.decode(ids[:start]).endswith("<|im_start|>assistant\n")


@pytest.mark.parametrize("reply", REPLIES)
def test_the_tokens_are_those_that_the_server_renders(server: EmbeddedServer, tokenizer: Any, reply: str) -> None:
    prompt: Any = row("text_to_sql", 3)["prompt"]
    made = encode([prompt], [[{"role": "assistant", "content": reply}]], tokenizer)
    ids, labels = made["input_ids"][0], made["labels"][0]
    rendered = asked(server, "/apply-template", {"messages": prompt})["prompt"]
    seen = asked(server, "/tokenize", {"content": rendered, "add_special": True, "parse_special": True})["tokens"]
    assert ids[: labels.count(IGNORED)] == seen
    written = asked(server, "/tokenize", {"content": reply + END_OF_TURN, "parse_special": True})["tokens"]
    assert ids[labels.count(IGNORED) :] == written


def test_a_row_that_is_too_long_is_refused_not_cut(tokenizer: Any, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rows.jsonl", "text_to_sql", range(5))
    lengths = [len(ids) for ids in encode_file(file, tokenizer, 4096)["input_ids"]]
    assert (
        encode_file(file, tokenizer, max(lengths))["input_ids"][:] == encode_file(file, tokenizer, 4096)["input_ids"][:]
    )
    with pytest.raises(TrainingError, match=rf"{max(lengths)} tokens.*--max-tokens {max(lengths) - 1}"):
        encode_file(file, tokenizer, max(lengths) - 1)


@pytest.mark.parametrize("line", ["{", "[]", '{"prompt": []}', "3"])
def test_a_damaged_line_is_named(tokenizer: Any, tmp_path: Path, line: str) -> None:
    file = write_rows(tmp_path / "rows.jsonl", "text_to_sql", range(2))
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(TrainingError, match=r"rows.jsonl, line 3, is not a row"):
        encode_file(file, tokenizer, 4096)


def test_a_tokenizer_without_a_template(tiny_model: Path) -> None:
    plain = AutoTokenizer.from_pretrained(tiny_model)
    plain.chat_template = None
    with pytest.raises(TrainingError, match="no chat template"):
        encode([[{"role": "user", "content": "a"}]], [[{"role": "assistant", "content": "b"}]], plain)


def test_a_template_that_changes_an_answered_prompt(tiny_model: Path) -> None:
    odd = AutoTokenizer.from_pretrained(tiny_model)
    odd.chat_template = "{{ messages | length }}" + odd.chat_template
    with pytest.raises(TrainingError, match="renders a prompt differently"):
        encode([[{"role": "user", "content": "a"}]], [[{"role": "assistant", "content": "b"}]], odd)
