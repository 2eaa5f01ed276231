"""How much the emulator carries on one core, and how late it is at a steady rate.

Run it: `python benchmarks/emulator_capacity.py [seconds]`. The emulator runs as a process of its own, pinned to the
last core where pinning is possible; the load comes from wrk if it is installed, else from a raw asyncio client here, on
another core. With one core for both, or others at work on it, the first table says too little and the second too much;
`per CPU s`, requests per second of CPU time that the emulator really got, suffers less.
"""

import asyncio
import json
import multiprocessing
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import uvloop
from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from burstline.emulator.serving import run_emulator
from burstline.emulator.settings import EmulatorSettings

CONNECTION_COUNT = 64
WIDE = Bucket(1e9, 1e9)


def account(p50_s: float, p99_s: float, gateway: Bucket = WIDE) -> Account:
    """Return an account where nothing but `gateway` throttles."""
    return Account(
        gateway=gateway, concurrency=1_000_000, functions={"f": Function("f", duration=ServiceTime(p50_s, p99_s))}
    )


def serve(account: Account, settings: EmulatorSettings, ready: Connection) -> None:
    """Run the emulator on the last core; the child process's entry."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    run_emulator(account, settings, ready.send)


@contextmanager
def _emulator(account: Account, settings: EmulatorSettings) -> Any:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(account, settings, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(20):
            raise RuntimeError("the emulator did not start")
        yield ours.recv()
    finally:
        process.terminate()
        process.join(10)


def emulator(account: Account, settings: EmulatorSettings) -> AbstractContextManager[str]:
    """Return a context with an emulator's URL."""
    context: AbstractContextManager[str] = _emulator(account, settings)
    return context


@dataclass
class Pool:
    """Kept-alive connections that are free, and what they counted."""

    free: "list[Sender]" = field(default_factory=list)
    sent: int = 0
    answered: int = 0
    without_connection: int = 0
    again: bool = False


class Sender(asyncio.Protocol):
    """One connection of the raw client: one request, one answer, and so on."""

    def __init__(self, request: bytes, pool: Pool) -> None:
        self._request, self._pool = request, pool
        self._transport: asyncio.WriteTransport | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = transport  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        self._pool.free.append(self)

    def send(self) -> None:
        """Send one request."""
        if self._transport is not None:
            self._transport.write(self._request)
            self._pool.sent += 1

    def data_received(self, data: bytes) -> None:
        """Count the answer once its head and body are here (all answers here are JSON, so end in a brace)."""
        self._got += data
        if b"\r\n\r\n" in self._got and self._got.endswith(b"}"):
            self._got = b""
            self._pool.answered += 1
            if self._pool.again:
                self.send()
            else:
                self._pool.free.append(self)


async def connect(url: str, count: int) -> Pool:
    """Return `count` open connections."""
    parts, pool = urlsplit(url), Pool()
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: */*\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    for _ in range(count):
        await loop.create_connection(lambda: Sender(request, pool), host, port)
    return pool


async def closed_loop(url: str, seconds: float) -> float:
    """Return requests/s with every connection sending as fast as it is answered."""
    pool = await connect(url, CONNECTION_COUNT)
    pool.again = True
    start_s = monotonic()
    for sender in pool.free:
        sender.send()
    await asyncio.sleep(seconds)
    pool.again = False
    return pool.answered / (monotonic() - start_s)


async def paced(url: str, rate_per_s: float, seconds: float, connection_count: int) -> Pool:
    """Send evenly at a rate on free connections, in steps of about 1 ms."""
    pool = await connect(url, connection_count)
    start_s, number = monotonic(), 0
    while (elapsed_s := monotonic() - start_s) < seconds:
        due = int(elapsed_s * rate_per_s)
        for _ in range(due - number):
            if pool.free:
                pool.free.pop().send()
            else:
                pool.without_connection += 1
        number = due
        await asyncio.sleep(0.001)
    await asyncio.sleep(1.0)
    return pool


def stats(url: str) -> dict[str, Any]:
    """Return the emulator's own numbers."""
    parts = urlsplit(url)
    with urlopen(f"{parts.scheme}://{parts.netloc}/_burstline/stats") as response:
        numbers: dict[str, Any] = json.load(response)
    return numbers


def capacity(url: str, seconds: float) -> float:
    """Return requests/s over kept-alive connections, from wrk or the raw client."""
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{CONNECTION_COUNT}", f"-d{seconds:.0f}", url]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec:\s+([\d.]+)", text)
        if found is None:
            raise RuntimeError(f"wrk said: {text}")
        return float(found[1])
    return uvloop.run(closed_loop(url, seconds))


CASES: dict[str, tuple[Account, EmulatorSettings]] = {
    "rest, 1 ms service": (account(0.001, 0.001), EmulatorSettings(stage="prod")),
    "rest, all refused (429)": (account(0.001, 0.001, Bucket(0, 0)), EmulatorSettings(stage="prod")),
    "alb, 1 ms service": (account(0.001, 0.001), EmulatorSettings(front=Front.ALB)),
    "rest, 1 ms service, 1 ms round trip": (account(0.001, 0.001), EmulatorSettings(round_trip_s=0.001)),
    "rest, 1 ms service, with log": (account(0.001, 0.001), EmulatorSettings(log=True)),
}


def milliseconds(value_s: float | None) -> str:
    """Return seconds as milliseconds, or a dash."""
    return "-" if value_s is None else f"{value_s * 1000:.1f}"


def main(seconds: float) -> None:
    """Print both tables."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_setaffinity") and cores > 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    load = "wrk" if shutil.which("wrk") else "a raw asyncio client"
    print(
        f"{date.today()}  {platform.machine()}, {cores} cores, Python {platform.python_version()}, load from {load}\n"
    )
    print(f"one core, keep-alive, {CONNECTION_COUNT} connections")
    print(f"{'case':38} {'requests/s':>10} {'per CPU s':>10} {'late p99 ms':>12}")
    for name, (case, settings) in CASES.items():
        with emulator(case, settings) as url:
            rate = capacity(url, seconds)
            numbers = stats(url)
        per_cpu_s = numbers["requests"]["received"] / numbers["cpu_s"]
        late = milliseconds(numbers["lateness"]["p99_s"])
        print(f"{name:38} {rate:10,.0f} {per_cpu_s:10,.0f} {late:>12}")
    print("\nsteady rate, service 20 ms p50, 60 ms p99, round trip 10 ms (ms)")
    heads: Callable[..., str] = "{:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}".format
    print(heads("rate/s", "sent/s", "late p50", "late p99", "late max", "lag p99", "lag max", "limited"))
    for rate_per_s in (2_000, 10_000):
        with emulator(account(0.02, 0.06), EmulatorSettings(stage="prod", round_trip_s=0.01)) as url:
            pool = uvloop.run(paced(url, rate_per_s, max(seconds, 11.0), 1_000))
            numbers = stats(url)
        late, lag = numbers["lateness"], numbers["loop_lag"]
        times = [late["p50_s"], late["p99_s"], late["max_s"], lag["p99_s"], lag["max_s"]]
        sent = f"{pool.sent / max(seconds, 11.0):,.0f}"
        print(heads(rate_per_s, sent, *map(milliseconds, times), str(numbers["target_limited"])))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
