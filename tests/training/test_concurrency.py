"""Work on many items at the same time."""

import asyncio

import pytest

from route_sql.training.concurrency import for_each


async def test_so_many_items_are_worked_on_at_the_same_time_and_all_in_the_end() -> None:
    running, most, done = 0, 0, []

    async def work(item: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        done.append(item)

    await for_each(work, range(10), 3)
    assert (most, sorted(done)) == (3, list(range(10)))


async def test_the_first_exception_stops_the_others_and_is_raised_as_it_is() -> None:
    begun = []

    async def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise KeyError("one")
        await asyncio.sleep(60)

    with pytest.raises(KeyError, match="one"):
        await for_each(work, range(10), 2)
    assert begun == [0, 1]


async def test_there_is_always_one_at_work() -> None:
    done: list[int] = []

    async def work(item: int) -> None:
        done.append(item)

    await for_each(work, [1, 2], 0)
    assert done == [1, 2]
