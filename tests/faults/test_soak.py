"""A soak of half a minute with a seed that has a bit of everything, and what a seed promises: the same schedule again."""

import asyncio

import pytest

from tests.faults.aftermath import table
from tests.faults.chaos import KINDS, Fault, schedule
from tests.faults.pace import SHORT, USUAL
from tests.faults.soak import CHOICES, soak, told
from tests.faults.stage import EACH, Servers
from tests.servers import PostgreSQL, RabbitMQ, Redis

SEED = 167
SECONDS = 30.0


def planned(seed: int, seconds: float = SECONDS) -> list[Fault]:
    return schedule(seed, seconds, SHORT, len(CHOICES), EACH)


def test_a_seed_plays_the_same_faults_again() -> None:
    assert planned(SEED) == planned(SEED)
    assert planned(SEED) != planned(SEED + 1)


def test_a_schedule_is_bounded_and_knows_every_kind() -> None:
    hours = schedule(1, 3600.0, USUAL, len(CHOICES), EACH)
    assert {fault.kind for fault in hours} == set(KINDS)
    assert [fault.at for fault in hours] == sorted(fault.at for fault in hours)
    assert all(0 <= fault.at < 3600 and fault.seconds <= 1.8 * USUAL.lease for fault in hours)


def test_the_seed_of_the_short_soak_hurts_every_part() -> None:
    hurt = {fault.kind.split()[0] for fault in planned(SEED)}
    assert hurt >= {"web", "worker", "RabbitMQ", "Redis", "PostgreSQL", "link", "rollout", "sockets"}


@pytest.mark.timeout(420)
async def test_nothing_is_lost_in_a_soak(postgresql: PostgreSQL, redis: Redis, rabbitmq: RabbitMQ) -> None:
    servers = Servers(postgresql, redis, rabbitmq)
    try:
        sought = await soak(servers, seed=SEED, seconds=SECONDS, pace=SHORT)
    finally:
        await asyncio.to_thread(servers.heal)
    print("\n".join(told(sought)))
    assert sought.clean
    assert len(sought.happened) == len(planned(SEED))
    assert all(play.accepted > SECONDS for play in sought.plays), "there was a load all the time"
    assert len(table(sought.recoveries)) > 1
