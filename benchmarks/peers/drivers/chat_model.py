"""The chat model of LangChain's drivers."""

from langchain_openai import ChatOpenAI


def chat_model(settings: dict[str, str]) -> ChatOpenAI:
    """The served model; a request that fails is not sent again, so that calls are counted once."""
    return ChatOpenAI(
        base_url=settings["url"] + "/v1",
        api_key=settings["key"],
        model=settings["model"],
        temperature=0,
        max_retries=0,
    )
