"""A clock and a timer that tests move by hand."""

from collections.abc import Callable

import pytest


class FakeClock:
    """Run time and monotonic time in one: they agree."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.step_s = 0.0

    def now(self) -> float:
        self.at_s += self.step_s
        return self.at_s

    def instant_of(self, run_s: float) -> float:
        return run_s


class FakeTimer:
    """Remembers when it should wake."""

    def __init__(self) -> None:
        self.armed_s: float | None = None

    def arm(self, at_s: float) -> None:
        self.armed_s = at_s

    def disarm(self) -> None:
        self.armed_s = None

    def close(self) -> None:
        self.armed_s = None


class Stage:
    """A clock and a timer, and a loop that jumps from wake-up to wake-up."""

    def __init__(self) -> None:
        self.clock, self.timer = FakeClock(), FakeTimer()

    def play(self, wake: Callable[[], None], until_s: float) -> None:
        """Wake whenever the timer says, until it is disarmed or asks for a later time than `until_s`."""
        for _ in range(1_000_000):
            armed_s = self.timer.armed_s
            if armed_s is None or armed_s > until_s:
                return
            self.timer.armed_s = None
            self.clock.at_s = max(self.clock.at_s, armed_s)
            wake()
        raise AssertionError("the timer is armed for ever")


@pytest.fixture
def stage() -> Stage:
    return Stage()
