"""LangChain's own tests of a chat model, on the real embedded server.

They need an environment of their own, since langchain-tests brings plugins that get in our tests' way.
"""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="run `make standard-tests`, which makes an environment for it")

from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from route_sql.serving.client.chat import ChatTGI
from route_sql.serving.embedded.server import EmbeddedServer
from route_sql.serving.store.model_store import ModelFile


class TestChatTGIUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatTGI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": "http://127.0.0.1:1"}


@pytest.mark.model
class TestChatTGI(ChatModelIntegrationTests):
    settings: dict[str, Any]
    supports_model_override = False  # the embedded server has one model, whatever it is called

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _served(cls, model_file: ModelFile) -> Iterator[None]:
        with EmbeddedServer(model_file) as server:
            cls.settings = {"base_url": server.url, "api_key": server.api_key, "concurrency": 1}
            yield

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatTGI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return self.settings
