"""Chat templates of several habits: what training makes of a conversation is what the embedded server reads."""

import asyncio
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support.made_rows import row
from support.tiny_families import BEGIN, NO_SYSTEM, THINKS, WRITES_BEGIN, Family, TinyModel, make_family
from support.tiny_lora import save_lora
from support.tiny_model import CHAT_TEMPLATE
from transformers import AutoTokenizer

from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.profile import Profile
from route_sql.serving.store.model_store import ModelFile
from route_sql.training.errors import DatasetError, TrainingError
from route_sql.training.export.agreement import Conversation, agreement
from route_sql.training.export.gguf_adapter import write_adapter
from route_sql.training.rows.token_counts import load_counter, row_tokens
from route_sql.training.tasks.chat_text import chat_text
from route_sql.training.tuning.conversation_tokens import IGNORED, encode

LOSES_SYSTEM = CHAT_TEMPLATE.replace(
    "{%- for message in messages %}", "{%- for message in messages if message['role'] != 'system' %}"
)
BEGINS_TWICE = "{{- bos_token }}" + WRITES_BEGIN
TALKATIVE = "{{- 'Knowledge ends in December. Today is a day in July.\n' * 3 }}" + CHAT_TEMPLATE
HABITS = {
    "writes the begin token, the tokenizer adds it": Family("llama", WRITES_BEGIN, begins=True),
    "writes the begin token, the tokenizer does not": Family("qwen2", WRITES_BEGIN),
    "writes the begin token twice": Family("qwen3", BEGINS_TWICE, begins=True),
    "refuses a system turn": Family("qwen2", NO_SYSTEM, begins=True),
    "leaves a system turn out": Family("qwen3", LOSES_SYSTEM),
    "thinks before a reply": Family("qwen3", THINKS),
    "pieces": Family("llama", WRITES_BEGIN, begins=True, pieces=True),
}


@pytest.fixture(autouse=True)
def a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def asked(server: EmbeddedServer, path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def trained_prompt(model: TinyModel, prompt: Any) -> list[int]:
    """The prompt's tokens as training makes them."""
    reply = [{"role": "assistant", "content": "SELECT 1"}]
    made = encode([prompt], [reply], AutoTokenizer.from_pretrained(model.folder))
    return made["input_ids"][0][: made["labels"][0].count(IGNORED)]


@pytest.mark.parametrize("habit", HABITS)
def test_the_server_reads_what_was_trained(habit: str, tmp_path: Path) -> None:
    model, prompt = make_family(tmp_path, HABITS[habit]), row("text_to_sql", 3)["prompt"]
    trained = trained_prompt(model, prompt)
    profile = Profile(context=2048, cache_ram_mib=0)
    with EmbeddedServer(ModelFile(model.file, "tiny", profile), log_dir=tmp_path) as server:
        rendered = asked(server, "/apply-template", {"messages": prompt})["prompt"]
        body = {"content": rendered, "add_special": True, "parse_special": True}
        served = asked(server, "/tokenize", body)["tokens"]
        said = asked(server, "/v1/chat/completions", {"messages": prompt, "max_tokens": 1})
    assert served == trained
    assert said["usage"]["prompt_tokens"] == len(trained)


def test_a_system_text_stands_in_the_users_turn_where_there_is_no_role_for_it(tmp_path: Path) -> None:
    model = make_family(tmp_path, Family("llama", NO_SYSTEM, begins=True))
    turns = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How many?"}]
    text = chat_text(AutoTokenizer.from_pretrained(model.folder), turns, unanswered=True)
    assert text == f"{BEGIN}<|im_start|>user\nBe short.\nHow many?<|im_end|>\n<|im_start|>assistant\n"


def test_a_template_that_refuses_every_conversation_is_refused(tmp_path: Path) -> None:
    never = Family("qwen2", "{{- raise_exception('only tools') }}")
    tokenizer = AutoTokenizer.from_pretrained(make_family(tmp_path, never).folder)
    for roles in (("user",), ("system", "user")):
        with pytest.raises(TrainingError, match="can't render a conversation: only tools; take another base"):
            chat_text(tokenizer, [{"role": role, "content": "a"} for role in roles], unanswered=True)


@pytest.mark.parametrize(
    "family",
    [
        Family("llama", CHAT_TEMPLATE, begins=True),
        Family("llama", WRITES_BEGIN, begins=True, pieces=True, spaces=True),
    ],
    ids=["begin token", "spaces"],
)
def test_a_base_whose_server_adds_a_token_is_not_exported(family: Family, tmp_path: Path) -> None:
    model = make_family(tmp_path, family)
    adapter = save_lora(model.folder, tmp_path / "adapter")
    write_adapter(adapter, model.file, tmp_path / "adapter.gguf")
    conversation = Conversation(row("text_to_sql", 1)["prompt"], "SELECT 1")  # type: ignore[arg-type]
    found = agreement(
        [conversation], adapter=adapter, base=model.file, served=tmp_path / "adapter.gguf", profile=Profile(context=512)
    )
    with pytest.raises(TrainingError, match="prompts that it was not trained on. Usual reasons"):
        asyncio.run(found)


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, WRITES_BEGIN, NO_SYSTEM, THINKS, TALKATIVE])
def test_rows_are_counted_with_the_tokens_of_the_template(template: str, tmp_path: Path) -> None:
    model = make_family(tmp_path, Family("qwen2", template))
    count, made = load_counter(model.folder), row("text_to_sql", 2)
    ids = encode([made["prompt"]], [made["completion"]], AutoTokenizer.from_pretrained(model.folder))["input_ids"][0]  # type: ignore[list-item]
    assert 0 <= row_tokens(made, count) - len(ids) <= 30  # type: ignore[arg-type]


def test_a_file_that_is_no_tokenizer_is_said(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    with pytest.raises(DatasetError, match=r"tokenizer .*words\.txt can't be read: .*; name the folder of the model"):
        load_counter(tmp_path / "words.txt")
    shutil.copyfile(tiny_model / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(DatasetError, match="can't be read"):
        load_counter(tmp_path)
