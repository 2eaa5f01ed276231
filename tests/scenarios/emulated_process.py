"""What an emulator's process counts of a forecast's case, sent to it over loopback HTTP when it is due.

The sender is a small one of its own, not the workers': requests on kept-alive connections opened beforehand, on the
clock both processes share. It notes how late it was: a case in which it, or the emulator, was late says nothing.
"""

import asyncio
import json
import multiprocessing
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import uvloop
from burstline.core.quota.quotas import Account
from burstline.emulator.serving import run_emulator
from burstline.emulator.settings import EmulatorSettings
from emulated_runs import Emulated, departures, emulated, headers_of, settings_of
from forecast_cases import Case
from numpy.typing import NDArray

LATE_S = 0.02
LATE_SHARE = 0.001
"""A sender that was more than 20 ms late for more than 0.1 % of the requests is late: as for the workers, which would
not have sent those."""

LATE_P99_S = 0.01
"""The same for the emulator's own lateness: p99 above 10 ms. (It calls itself late from 2 ms on, which on a shared
machine it mostly is; to the count of throttles those are no more than jitter, which the forecast allows for.)"""


@dataclass(frozen=True, slots=True)
class Late:
    """Why a case says nothing.

    Attributes:
        sender_late_count: requests that left more than `LATE_S` after they were due, of `sent_count`.
        sender_worst_s: the latest, seconds.
        emulator_p99_s: the emulator's own lateness, the larger of its answers' and its loop's, seconds.
        met: what was counted nevertheless, of a load that was not the plan's.
    """

    sent_count: int
    sender_late_count: int
    sender_worst_s: float
    emulator_p99_s: float
    met: Emulated


class _Wire(asyncio.Protocol):
    """One kept-alive connection: one request at a time; it is free again when the answer is complete."""

    def __init__(self, free: "list[_Wire]") -> None:
        self._free = free
        self._got = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if found:
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(body) >= length:
                self._got = b""
                self._free.append(self)


def run_emulated(asked: Case, seed: int) -> Emulated | Late:
    """Send a case to an emulator's process and return what it counted; arguments as in `play_emulated`.

    Raises:
        RuntimeError: the emulator did not start.
        ValueError: the emulator's log and numbers contradict each other.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8_192)), hard))
    settings = settings_of(asked, seed)
    due_s, functions = departures(asked.asked, seed)
    with _emulator(asked.account, settings) as url:
        count = _most_at_once(asked.account, settings, np.array(due_s))
        return uvloop.run(_send(url, settings, due_s, functions, count))


def _most_at_once(account: Account, settings: EmulatorSettings, due_s: NDArray[np.float64]) -> int:
    """Return how many requests may be under way at once: all that leave within a long and cold one's time."""
    longest_s = max(f.duration.p99_s * 1.5 + f.init_s for f in account.functions.values()) + settings.round_trip_s
    return int(np.max(np.searchsorted(due_s, due_s + longest_s) - np.arange(len(due_s)), initial=1)) + 10


async def _send(
    url: str, settings: EmulatorSettings, due_s: Sequence[float], functions: Sequence[str], connection_count: int
) -> Emulated | Late:
    parts = urlsplit(url)
    named = b"".join(b"%b: %b\r\n" % header for header in headers_of(settings).items())
    requests = {
        name: f"GET {parts.path}/{name} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode() + named + b"\r\n"
        for name in set(functions)
    }
    free: list[_Wire] = []
    loop = asyncio.get_running_loop()

    async def opened() -> _Wire:
        _, wire = await loop.create_connection(lambda: _Wire(free), parts.hostname or "", parts.port or 80)
        return wire

    free += [await opened() for _ in range(connection_count)]
    base = f"{parts.scheme}://{parts.netloc}/_burstline"
    _page(f"{base}/reset", "POST")
    started_s = min(_started_s(base) for _ in range(5))
    start_s = monotonic() + 0.1
    late_s: list[float] = []
    for at_s, function in zip(due_s, functions, strict=True):
        # Loops wait in whole milliseconds; what may be left of one is less than any network's jitter.
        while (wait_s := start_s + at_s - monotonic()) > 0.0005:  # noqa: ASYNC110 - waits for a time, not an event
            await asyncio.sleep(wait_s)
        wire = free.pop() if free else await opened()
        if wire.transport is None:
            raise RuntimeError("a connection was lost")
        wire.transport.write(requests[function])
        late_s.append(monotonic() - start_s - at_s)
    await asyncio.sleep(5.0)
    numbers = _page(f"{base}/stats")
    met = emulated(numbers, _page(f"{base}/log"), settings.round_trip_s, start_s - started_s)
    late_count = sum(late > LATE_S for late in late_s)
    emulator_p99_s = max(numbers[name]["p99_s"] or 0.0 for name in ("lateness", "loop_lag"))
    if late_count > LATE_SHARE * len(late_s) or emulator_p99_s > LATE_P99_S:
        return Late(len(late_s), late_count, max(late_s), emulator_p99_s, met)
    return met


def _started_s(base: str) -> float:
    """Return when the emulator's log began, on the clock of this process, at the latest (the answer's way is in it)."""
    elapsed_s = float(_page(f"{base}/stats")["elapsed_s"])
    return monotonic() - elapsed_s


def _page(url: str, method: str = "GET") -> Any:
    with urlopen(Request(url, method=method), timeout=10) as response:
        return json.load(response)


@contextmanager
def _emulator(account: Account, settings: EmulatorSettings) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=run_emulator, args=(account, settings, theirs.send), daemon=True)
    process.start()
    try:
        if not ours.poll(20):
            raise RuntimeError("the emulator did not start")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10)
