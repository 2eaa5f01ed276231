"""Real timers wake once, at or after the instant they are armed for, and not when disarmed."""

import asyncio
import sys
import time

import pytest
from burstline.workers.sending.timer import FileTimer, LoopTimer, Timer, open_timer

KINDS = [LoopTimer, pytest.param(FileTimer, marks=pytest.mark.skipif(sys.platform != "linux", reason="needs timerfd"))]


class Bell:
    """A timer and the instants at which it woke."""

    def __init__(self, kind: type[LoopTimer] | type[FileTimer]) -> None:
        self.woke_s: list[float] = []
        self.rang = asyncio.Event()
        self.again_s: float | None = None
        self.timer: Timer = kind(asyncio.get_running_loop(), self._wake)

    def _wake(self) -> None:
        self.woke_s.append(time.monotonic())
        self.rang.set()
        if self.again_s is not None:
            self.timer.arm(self.again_s)
            self.again_s = None


@pytest.mark.parametrize("kind", KINDS)
async def test_it_wakes_once_and_never_early(kind: type[LoopTimer] | type[FileTimer]) -> None:
    bell = Bell(kind)
    at_s = time.monotonic() + 0.01
    bell.timer.arm(at_s)
    await asyncio.wait_for(bell.rang.wait(), 2.0)
    await asyncio.sleep(0.01)
    assert len(bell.woke_s) == 1
    assert bell.woke_s[0] >= at_s - (0 if kind is FileTimer else 0.001)
    bell.timer.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_instant_that_has_passed_wakes_at_once(kind: type[LoopTimer] | type[FileTimer]) -> None:
    bell = Bell(kind)
    bell.timer.arm(time.monotonic() - 5.0)
    await asyncio.wait_for(bell.rang.wait(), 2.0)
    bell.timer.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_armed_again_while_waking_it_wakes_again_and_the_last_arming_counts(
    kind: type[LoopTimer] | type[FileTimer],
) -> None:
    bell = Bell(kind)
    bell.timer.arm(time.monotonic() + 60.0)
    bell.again_s = time.monotonic() + 0.01
    bell.timer.arm(time.monotonic())
    for _ in range(2):
        await asyncio.wait_for(bell.rang.wait(), 2.0)
        bell.rang.clear()
    await asyncio.sleep(0.02)
    assert len(bell.woke_s) == 2
    bell.timer.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["disarm", "close"])
async def test_disarmed_or_closed_it_does_not_wake(kind: type[LoopTimer] | type[FileTimer], how: str) -> None:
    bell = Bell(kind)
    bell.timer.arm(time.monotonic() + 0.005)
    getattr(bell.timer, how)()
    await asyncio.sleep(0.02)
    assert bell.woke_s == []
    bell.timer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs timerfd")
async def test_linux_gets_the_precise_one() -> None:
    timer = open_timer(asyncio.get_running_loop(), lambda: None)
    assert isinstance(timer, FileTimer)
    timer.close()
