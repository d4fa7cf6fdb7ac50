"""The questions and the model that the options of a benchmark choose."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.language_models import BaseChatModel
from shared.options import data_set_of, named

from route_sql.models import open_model
from route_sql.progress import download_progress
from route_sql.settings import Settings
from route_sql.training.datasets.data_set import OpenDataSet, open_data_set


@asynccontextmanager
async def chosen_model(arguments: argparse.Namespace) -> AsyncIterator[BaseChatModel]:
    """The model that the options choose."""
    if arguments.base is not None:
        from shared.batched_model import batched  # needs torch, which the embedded server and a URL do not

        yield await batched(arguments.base, arguments.adapter)
        return
    with download_progress() as fetched:
        async with open_model(named(arguments), Settings(), fetched, questions=arguments.concurrency) as chat:
            yield chat


@asynccontextmanager
async def opened(arguments: argparse.Namespace) -> AsyncIterator[tuple[OpenDataSet, BaseChatModel]]:
    """The questions and the model that the options choose."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    async with open_data_set(data_set_of(arguments)) as source, chosen_model(arguments) as chat:
        yield source, chat
