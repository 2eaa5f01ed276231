"""One connection to the emulator, byte by byte: kept, closed, left, sent ahead on, and misused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Function, ServiceTime
from burstline.emulator.running import RunningEmulator, start_emulator
from burstline.emulator.settings import EmulatorSettings

FAST = ServiceTime(0.001, 0.001)
SLOW = ServiceTime(0.5, 0.5)
ACCOUNT = Account(functions={"f": Function("f", duration=FAST)})


@asynccontextmanager
async def emulator(account: Account, settings: EmulatorSettings) -> AsyncIterator[RunningEmulator]:
    running = await start_emulator(account, settings)
    try:
        yield running
    finally:
        await running.stop()


async def raw(running: RunningEmulator, data: bytes, until: bytes | None = None) -> bytes:
    """Send bytes; return what comes until the emulator closes, or until `until` has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            return await (reader.readuntil(until) if until else reader.read())
    finally:
        writer.close()
        await writer.wait_closed()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  (what is waited for is a number in another's counts: there is no event)
            await asyncio.sleep(0.01)


async def test_a_connection_is_kept_and_reused() -> None:
    async with emulator(ACCOUNT, EmulatorSettings()) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b'{"ok":true}')).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("request_head", [b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
async def test_a_client_that_wants_to_close_is_closed_after_the_answer(request_head: bytes) -> None:
    async with emulator(ACCOUNT, EmulatorSettings()) as running:
        answer = await raw(running, request_head)
    assert b"Connection: close" in answer
    assert answer.endswith(b'{"ok":true}')


async def test_an_idle_connection_is_closed_after_the_keep_alive_time() -> None:
    async with emulator(ACCOUNT, EmulatorSettings(keep_alive_s=0.2)) as running:
        assert await raw(running, b"") == b""


async def test_a_connection_that_waits_for_its_answer_is_not_idle() -> None:
    account = Account(functions={"f": Function("f", duration=SLOW)})
    async with emulator(account, EmulatorSettings(keep_alive_s=0.1)) as running:
        assert b'{"ok":true}' in await raw(running, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"\0" * 5000]
)
async def test_what_is_no_http_gets_400_and_is_closed(data: bytes) -> None:
    async with emulator(ACCOUNT, EmulatorSettings()) as running:
        assert (await raw(running, data)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert running.stats()["requests"] | {"bad": 1, "received": 0} == running.stats()["requests"]


async def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    functions = {"slow": Function("slow", duration=ServiceTime(0.1, 0.1)), "fast": Function("fast", duration=FAST)}
    settings = EmulatorSettings(routes={"/slow": "slow", "/fast": "fast"}, front=Front.PLAIN, log=True)
    async with emulator(Account(functions=functions), settings) as running:
        ahead = b"".join(
            b"GET /%s HTTP/1.1\r\nx-burstline-n: %d\r\n\r\n" % (path, number)
            for number, path in enumerate([b"slow", b"fast", b"nowhere"])
        )
        answer = await raw(running, ahead, until=b"not found\n")
        assert [entry[2:] for entry in running.desk.counts.log] == [("0", 200), ("1", 200), ("2", 404)]
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_a_connection_closed_on_purpose_gives_no_answer() -> None:
    async with emulator(ACCOUNT, EmulatorSettings(close_ratio=1.0)) as running:
        assert await raw(running, b"GET / HTTP/1.1\r\n\r\n") == b""
        assert running.stats()["requests"]["closed"] == 1


async def test_a_client_that_leaves_does_not_free_its_environment() -> None:
    account = Account(functions={"f": Function("f", duration=SLOW)})
    async with emulator(account, EmulatorSettings()) as running:
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: running.stats()["requests"]["admitted"] == 1)
        writer.close()
        await writer.wait_closed()
        assert running.stats()["account"]["functions"]["f"]["concurrency"] == 1
        await until(lambda: running.stats()["account"]["functions"]["f"]["concurrency"] == 0)


async def test_a_request_to_upgrade_is_answered_as_any_other() -> None:
    async with emulator(ACCOUNT, EmulatorSettings()) as running:
        ask = b"GET / HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        answer = await raw(running, ask, until=b'{"ok":true}')
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
