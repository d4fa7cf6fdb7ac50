"""Threads that nobody has used for long are deleted while the server runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

from route_sql.api.logs import NAME
from route_sql.api.service import Service

DAY = 24 * 3600.0
PAUSE = 600.0
"""Seconds between two searches for old threads."""


@asynccontextmanager
async def keeping_for(service: Service, days: float, pause: float = PAUSE) -> AsyncIterator[None]:
    """Delete threads that were not used for some days, at the start and then regularly; 0 keeps all."""
    sweeping = asyncio.create_task(_sweep(service, days * DAY, pause)) if days else None
    try:
        yield
    finally:
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.wait([sweeping])


async def forget_old(service: Service, seconds: float) -> int:
    """Delete the threads that were not used for some seconds, and give their number."""
    count, moment = 0, time() - seconds
    while old := await service.store.older_than(moment):
        forgotten = [thread for thread in old if await _forget(service, thread, moment)]
        count += len(forgotten)
        if not forgotten:
            break
    return count


async def _forget(service: Service, thread: str, moment: float) -> bool:
    try:
        return await service.forget(thread, moment)
    except Exception:  # a thread that can't be deleted must not keep the others
        logging.getLogger(NAME).exception("an old thread can't be deleted")
        return False


async def _sweep(service: Service, seconds: float, pause: float) -> None:
    logger = logging.getLogger(NAME)
    while True:
        try:
            if count := await forget_old(service, seconds):
                logger.info("old threads deleted", extra={"threads": count})
        except Exception:  # a database that is unavailable for a while must not end these checks
            logger.exception("old threads can't be deleted")
        await asyncio.sleep(pause)
