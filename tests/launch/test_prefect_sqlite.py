"""Prefect's transactions on SQLite: who will write waits its turn, and nobody waits for himself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from maquette.launch.prefect_sqlite import database_url


@asynccontextmanager
async def counter(url: str) -> AsyncIterator[tuple[AioSqliteConfiguration, AsyncEngine]]:
    """Prefect's own engine, and a table of one number."""
    configuration = AioSqliteConfiguration(url, timeout=30)
    engine = await configuration.engine()
    try:
        async with engine.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
            await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))
        yield configuration, engine
    finally:
        await engine.dispose()


async def count(url: str, people: int) -> int:
    """Each reads the number and writes the next, as Prefect does it: everyone has read before the first writes."""
    async with counter(url) as (configuration, engine):
        reads = 0
        all_read = asyncio.Event()

        async def add() -> None:
            nonlocal reads
            async with AsyncSession(engine) as session, configuration.begin_transaction(session):
                n = (await session.execute(sa.text("SELECT n FROM counter"))).scalar_one()
                reads += 1
                if reads == people:
                    all_read.set()
                await asyncio.wait([asyncio.create_task(all_read.wait())], timeout=0.05)
                await session.execute(sa.text("UPDATE counter SET n = :n"), {"n": n + 1})

        await asyncio.gather(*(add() for _ in range(people)))
        async with engine.connect() as connection:
            return int((await connection.execute(sa.text("SELECT n FROM counter"))).scalar_one())


def test_who_will_write_waits_and_loses_nothing(tmp_path: Path) -> None:
    assert asyncio.run(count(database_url(tmp_path), 8)) == 8


def test_without_the_plugin_the_second_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sa.exc.OperationalError, match="locked"):
        asyncio.run(count(database_url(tmp_path).partition("?")[0], 2))


def test_a_transaction_within_another_of_the_same_task_does_not_wait_for_it(tmp_path: Path) -> None:
    async def nested() -> int:
        async with (
            counter(database_url(tmp_path)) as (configuration, engine),
            AsyncSession(engine) as outer,
            AsyncSession(engine) as inner,
            configuration.begin_transaction(outer),
            configuration.begin_transaction(inner),
        ):
            return int((await inner.execute(sa.text("SELECT n FROM counter"))).scalar_one())

    async def within() -> int:
        return await asyncio.wait_for(nested(), 10)

    assert asyncio.run(within()) == 0


def test_what_was_rolled_back_lets_the_next_write(tmp_path: Path) -> None:
    async def again() -> int:
        async with counter(database_url(tmp_path)) as (configuration, engine):
            for outcome in (RuntimeError, None):
                try:
                    async with AsyncSession(engine) as session, configuration.begin_transaction(session):
                        await session.execute(sa.text("UPDATE counter SET n = n + 1"))
                        if outcome is not None:
                            raise outcome
                except RuntimeError:
                    continue
            async with engine.connect() as connection:
                return int((await connection.execute(sa.text("SELECT n FROM counter"))).scalar_one())

    assert asyncio.run(again()) == 1
