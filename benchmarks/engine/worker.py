"""burstline's own worker as a peer: the real segment on one core, everything on but the stream to a control plane.

Pacer, ceiling, sender, classification, both latencies, windows (encoded as they go over the wire), ledger: as in a run.
What is missing is the gRPC stream itself: two heartbeats and one window a second.
"""

import asyncio
import gc
import multiprocessing
import os
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Auth, Ceilings, Connections, Phase, Plan, Request, Target
from burstline.core.load.totals import Totals
from burstline.core.load.window import Window

from benchmarks.engine.machine import cores, settle, usage


@dataclass(frozen=True, slots=True)
class Sent:
    """What one segment did.

    Attributes:
        count: scheduled arrivals.
        ledger: of them.
        lateness_p99_s: past due, as the worker reports it, seconds.
        latency_s: quantile -> from due, seconds.
        send_latency_s: quantile -> from the actual send, seconds.
        cpu_s: of the process while it ran, after its preparation, seconds.
        wall_s: from T0 to the last outcome, seconds.
        memory_bytes: the most it had resident.
        start_s: T0 on the monotonic clock.
        opened: connections.
        profile: as cProfile's text, if asked for.
    """

    count: int
    ledger: Ledger
    lateness_p99_s: float
    latency_s: dict[float, float]
    send_latency_s: dict[float, float]
    cpu_s: float
    wall_s: float
    memory_bytes: int
    start_s: float
    opened: int
    profile: str = ""

    @property
    def cpu_per_request_s(self) -> float:
        """CPU time over requests sent, seconds."""
        return self.cpu_s / max(1, self.ledger.sent)

    @property
    def dropped(self) -> int:
        """Arrivals that were not sent."""
        return sum(self.ledger.dropped.values())


def plan(url: str, *load: Phase, auth: Auth | None = None, warm_count: int = 64, **request: Any) -> Plan:
    """Return a plan of one GET, with a ceiling above its rate so that the ceiling is at work.

    As the peers do, it has 64 connections open before the start.
    """
    return Plan(
        "benchmark",
        Target(url),
        (Request("quote", **{"path": "/quote?sku=1", **request}),),
        load,
        auth=auth or Auth(),
        ceilings=Ceilings(rate_per_s=1e6, in_flight=100_000),
        connections=Connections(warm_count=warm_count),
    )


QUANTILES = (0.5, 0.99, 0.999)


async def _segment(plan: Plan, index: int, count: int, start_s: float, warm: float) -> Sent:
    from burstline.wire.window import window_to_proto
    from burstline.workers.clock import RunClock
    from burstline.workers.segments.files import FileCache
    from burstline.workers.segments.holding import _settle_memory
    from burstline.workers.segments.preparing import make_toolkit, prepare
    from burstline.workers.segments.running import Segment

    totals, encoded = Totals(), 0

    def emit(window: Window) -> None:
        nonlocal encoded
        encoded += len(window_to_proto(window).SerializeToString())
        totals.add(index, window)

    def no_files(sha256: str) -> Any:
        raise AssertionError(sha256)

    files = FileCache(no_files)
    clock = RunClock(time.monotonic)
    toolkit = await make_toolkit(plan, "benchmark", frozenset(), files, "0")
    prepared = prepare(toolkit, index, count, 0, warm)
    segment = Segment(prepared, clock, lambda: 10.0, lambda: 0.0, emit)
    if prepared.warm_count:
        await segment.sender.warm(prepared.warm_count)
    start_s = start_s or time.monotonic() + 0.2
    clock.start(time.monotonic() - start_s, time.monotonic())
    gc.unfreeze()
    _settle_memory()
    before = usage()
    await segment.run()
    after, end_s = usage(), time.monotonic()
    opened = totals.opened
    await segment.sender.close()
    files.close()
    load, lateness = totals.load(), totals.lateness
    every = sorted(totals.latencies.items(), key=lambda one: -one[1].due.count)
    due, sent = every[0][1].due, every[0][1].sent
    ledger = Ledger(prepared.stripe.count, 0, load.due, load.sent, load.sent_on_wire, dropped=load.dropped)
    ledger = replace(ledger, signatures=totals.signatures())
    ledger = replace(ledger, in_flight=ledger.sent - sum(ledger.signatures.values()))
    return Sent(
        prepared.stripe.count,
        ledger,
        lateness.quantile(0.99) or 0.0,
        {q: due.quantile(q) or 0.0 for q in QUANTILES},
        {q: sent.quantile(q) or 0.0 for q in QUANTILES},
        after.cpu_s - before.cpu_s,
        end_s - start_s,
        after.memory_bytes,
        start_s,
        opened,
    )


def _main(control: Connection, core: int, realtime: bool, loop: str, environment: dict[str, str]) -> None:
    settle(core, realtime)
    os.environ.update(environment)
    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        while True:
            try:
                asked = control.recv()
            except EOFError:
                return
            control.send(runner.run(_profiled(*asked[:-1]) if asked[-1] else _segment(*asked[:-1])))


async def _profiled(*asked: Any) -> Sent:
    import cProfile
    import io
    import pstats

    profile, text = cProfile.Profile(), io.StringIO()
    profile.enable()
    sent = await _segment(*asked)
    profile.disable()
    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(45)
    return replace(sent, profile=text.getvalue())


class Worker:
    """A worker process that runs segments when told. Close it at the end.

    Args:
        realtime: before whatever else runs on its core.
        core: which; None is the generator's.
        loop: "uvloop" or "asyncio".
        environment: variables for it.
    """

    def __init__(
        self,
        realtime: bool = False,
        core: int | None = None,
        loop: str = "uvloop",
        environment: dict[str, str] | None = None,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        where = cores()[0] if core is None else core
        self._process = context.Process(
            target=_main, args=(theirs, where, realtime, loop, environment or {}), daemon=True
        )
        self._process.start()
        theirs.close()

    def begin(
        self,
        plan: Plan,
        index: int = 0,
        count: int = 1,
        start_s: float = 0.0,
        latency_s: float = 0.002,
        profile: bool = False,
    ) -> None:
        """Start stripe `index` of `count` at `start_s` of the monotonic clock (0: soon); `latency_s` is for warming."""
        self._control.send((plan, index, count, start_s, latency_s, profile))

    def end(self) -> Sent:
        """Wait for its end."""
        sent: Sent = self._control.recv()
        return sent

    def send(self, plan: Plan, latency_s: float = 0.002, profile: bool = False) -> Sent:
        """Run a whole plan."""
        self.begin(plan, latency_s=latency_s, profile=profile)
        return self.end()

    def close(self) -> None:
        """End the process."""
        self._control.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
