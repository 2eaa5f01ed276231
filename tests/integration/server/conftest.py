"""A server on free ports, and played workers at it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from burstline.server.app import RunningServer, running
from burstline.server.judging.record import RunRecord
from burstline.server.settings import ServerSettings
from burstline.v1 import resources_pb2 as v1
from played.client import Client
from played.worker import FakeWorker


def summary(record: RunRecord) -> dict[str, Any]:
    """A judge that says what the server handed over, so that tests read it from the report."""
    ledger = record.ledger
    sent = sum(load.sent for load in record.totals.loads.values())
    return {
        "verdict": "passed",
        "ledger": {
            name: getattr(ledger, name)
            for name in ("scheduled", "not_due", "due", "sent", "unsent", "lost", "in_flight", "orphaned", "preflight")
        },
        "phases": [ledger.due for ledger in record.ledgers_by_phase],
        "totals_sent": sent,
        "imbalances": ledger.imbalances(),
        "workers": [[worker.name, list(worker.segments), worker.lost] for worker in record.workers],
        "stopped_by": record.stopped_by,
        "problem": record.problem,
        "notes": list(record.notes),
        "duration_s": record.duration_s,
    }


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the test's own timeout bounds it."""
    while not condition():  # noqa: ASYNC110  # what it looks at has no event
        await asyncio.sleep(0.02)


def settings_for(store: str, **changes: Any) -> ServerSettings:
    """Settings with free ports and short waits."""
    short: dict[str, Any] = {
        "listen": "127.0.0.1:0", "http": "127.0.0.1:0", "store": store, "start_delay_s": 0.2, "watch_every_s": 0.05,
        "more_workers_wait_s": 1.0, "lease_s": 1.0, "closed_lease_s": 0.5, "takeover_grace_s": 0.4,
        "silence_margin_s": 0.2, "return_wait_s": 0.5, "worker_wait_s": 5.0,
    }  # fmt: skip
    return ServerSettings(**(short | changes))


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., ServerSettings]:
    """Return a maker of settings on a SQLite file of this test."""

    def make(**changes: Any) -> ServerSettings:
        return settings_for(changes.pop("store", f"sqlite:///{tmp_path}/store.db"), **changes)

    return make


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    """Return `eventually`."""
    return eventually


@pytest.fixture
def serving() -> Callable[..., Any]:
    """Return a context manager that runs a server and yields it with a client."""

    @contextlib.asynccontextmanager
    async def serve(settings: ServerSettings, token: str = "") -> AsyncIterator[tuple[RunningServer, Client]]:
        async with (
            running(settings, judge=summary) as server,
            grpc.aio.insecure_channel(server.grpc_address) as channel,
        ):
            yield server, Client(channel)

    return serve


@pytest.fixture
async def workers() -> AsyncIterator[Callable[..., Any]]:
    """Return a maker of attached fake workers, which all end with the test."""
    made: list[FakeWorker] = []

    async def make(address: str, count: int = 1, **changes: Any) -> list[FakeWorker]:
        fresh = [FakeWorker(address, **changes) for _ in range(count)]
        made.extend(fresh)
        for worker in fresh:
            await worker.attach()
        return fresh

    yield make
    for worker in made:
        await worker.die()


@pytest.fixture
def plan() -> Callable[..., v1.Plan]:
    """Return a maker of plans against loopback: constant phases of (seconds, requests/s)."""

    def make(*phases: tuple[float, float], **fields: Any) -> v1.Plan:
        message = v1.Plan(
            name="test", target=v1.Target(url="http://127.0.0.1:9"), requests=[v1.Request(name="r")], **fields
        )
        for duration_s, rate in phases or ((1.0, 100.0),):
            phase = message.load.add()
            phase.name = f"phase {len(message.load)}"
            phase.duration.FromNanoseconds(round(duration_s * 1e9))
            phase.constant.request_count_per_second = rate
        return message

    return make
