"""Presses a real HTTP server with the worker's own pieces, and fits what its recorders saw."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from burstline.core.load.plan import Connections, Constant, Front, Pause, Phase, Plan, Request, Target
from burstline.core.load.totals import Totals
from burstline.core.quota.fitting.fitting import Fit, FitResult, fit
from burstline.core.quota.quotas import Family
from burstline.workers.clock import RunClock
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.preparing import make_toolkit, prepare
from burstline.workers.segments.running import Segment

ATTEMPTS = 3
"""A busy machine may make the generator late, or the throttler; then the run says little about the fit."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run showed.

    Attributes:
        result: of the fit.
        totals: of the run.
    """

    result: FitResult
    totals: Totals

    def families(self) -> list[str]:
        """Which laws throttled, in the order of time, each once."""
        return list(dict.fromkeys(str(bound.family) for bound in self.result.bounds))

    def number(self, family: Family, parameter: str) -> Fit:
        """Return the only estimate of a parameter."""
        (found,) = [one for one in self.result.fits if one.family is family and one.parameter == parameter]
        return found

    def text(self) -> str:
        """The run in a few lines, for a failed test."""
        late_ms = 1000 * (self.totals.lateness.quantile(0.99) or 0.0)
        lines = [f"late {late_ms:.1f} ms at the 99th percentile, {self.totals.load()}, {self.totals.signatures()}"]
        lines += [bound.text for bound in self.result.bounds]
        lines += [f"{one.parameter} {one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in self.result.fits]
        return "\n".join([*lines, *self.result.notes])


async def press(url: str, *load: tuple[float, float], segment_count: int = 2) -> Found:
    """Send to `url` from segments of one worker process.

    Args:
        url: on loopback.
        load: requests/s (0: a pause) and seconds, phase by phase.
        segment_count: how many segments share the load.
    """
    phases = tuple(
        Phase(f"p{index}", duration_s, Constant(rate_per_s) if rate_per_s else Pause())
        for index, (rate_per_s, duration_s) in enumerate(load)
    )
    plan = Plan(
        "pressing",
        Target(url, Front.PLAIN),
        (Request("one", timeout_s=10.0),),
        phases,
        connections=Connections(warm_count=100),
    )
    totals = Totals()
    start_s = time.monotonic() + 0.5
    await asyncio.gather(*(_segment(plan, index, segment_count, start_s, totals) for index in range(segment_count)))
    return Found(fit(totals, Front.PLAIN), totals)


async def _segment(plan: Plan, index: int, count: int, start_s: float, totals: Totals) -> None:
    files = FileCache(_nothing)
    toolkit = await make_toolkit(plan, "pressing", (), files, "0")
    prepared = prepare(toolkit, index, count, 0)
    clock = RunClock(time.monotonic)
    segment = Segment(prepared, clock, lambda: 1.0, lambda: 0.0, lambda window: totals.add(index, window))
    try:
        await segment.sender.warm(prepared.warm_count)
        now_s = time.monotonic()
        clock.start(now_s - start_s, now_s)
        await segment.run()
    finally:
        await segment.sender.close()
        files.close()


async def _nothing(sha256: str) -> AsyncIterator[bytes]:
    raise AssertionError(f"these plans upload nothing, and {sha256} was asked for")
    yield b""


async def until_right(once: Callable[[], Awaitable[Found]], check: Callable[[Found], list[str]]) -> None:
    """Repeat a run up to `ATTEMPTS` times until nothing is wrong with it; fails with all that was wrong.

    Args:
        once: a run against a fresh throttler.
        check: returns what is wrong.
    """
    wrong = []
    for attempt in range(ATTEMPTS):
        found = await once()
        faults = check(found)
        if not faults:
            return
        wrong.append(f"attempt {attempt + 1}: {'; '.join(faults)}\n{found.text()}")
    raise AssertionError("\n".join(wrong))
