"""What the emulator itself counts of a forecast's case, its own way of a request driven on a clock moved by hand.

Nothing of the forecast is used but the question: requests leave when the schedule of the plan says, pass the front
desk (its routes, keys, half round trips, timers, service times, environments, traffic of others), and are counted
there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any
from unittest.mock import patch

import numpy as np
from burstline.core.load.plan import DataOrder, Front
from burstline.core.load.schedule import Schedule
from burstline.core.load.selection import Selection
from burstline.core.quota.forecast.loads import ForecastInput
from burstline.core.quota.forecast.records import NEVER
from burstline.core.quota.quotas import Layer
from burstline.emulator.answers import Answer
from burstline.emulator.control import stats
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import FrontDesk
from burstline.emulator.routing import KEY_HEADER
from burstline.emulator.settings import EmulatorSettings, check
from burstline.emulator.traffic import OtherTraffic
from forecast_cases import Case, Truth

KEY = "k-gold"
FRONTS = (Front.REST, Front.HTTP, Front.PLAIN)
ROUND_TRIPS_S = (0.0, 0.01, 0.04)
JITTER = 0.1
AFTER_S = 10.0
"""How long the clock runs on after the last request: longer than any service time of the cases, so all are answered."""


class VirtualTimers:
    """The emulator's timers and the clock they follow: time moves only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._number = 0

    def at(self, due_s: float, callback: Callable[[float, Any], None], argument: Any) -> None:
        """See `Timers.at`."""
        self._number += 1
        heappush(self._heap, (due_s, self._number, callback, argument))

    def run_due(self, now_s: float) -> None:
        """See `Timers.run_due`; the clock shows each callback the time it is due."""
        while self._heap and self._heap[0][0] <= now_s:
            due_s, _, callback, argument = heappop(self._heap)
            self.now_s = max(self.now_s, due_s)
            callback(due_s, argument)

    def move_to(self, now_s: float) -> None:
        """Let everything due by then happen, and then let it be then."""
        self.run_due(now_s)
        self.now_s = now_s


class _Nobody:
    """A client that does not listen: what counts is what the emulator counts."""

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Take the answer."""

    def abandon(self, exchange: Exchange) -> None:
        """See the connection closed."""
        raise AssertionError("no request is abandoned here")


@dataclass(frozen=True, slots=True)
class Emulated:
    """What the emulator counted.

    Attributes:
        received: requests.
        by_layer: throttled requests by layer.
        first_s: when the first of them was refused, seconds of run time: when its answer left by the log, less half
            the mean round trip that the answer had taken by then; `NEVER`: none was.
    """

    received: int
    by_layer: Mapping[Layer, int]
    first_s: float

    @property
    def truth(self) -> Truth:
        """Total and first throttle."""
        return Truth(sum(self.by_layer.values()), self.first_s)


def settings_of(asked: Case, seed: int) -> EmulatorSettings:
    """Return an emulator for a case: front, round trip (0, 10 or 40 ms with 10 % of jitter) and dice by the seed."""
    random = np.random.default_rng([seed, 17])
    settings = EmulatorSettings(
        front=FRONTS[int(random.integers(len(FRONTS)))],
        stage="prod",
        routes={f"/{name}": name for name in asked.account.functions},
        api_keys={KEY: "gold"} if "gold" in asked.account.usage_plans else {},
        round_trip_s=ROUND_TRIPS_S[int(random.integers(len(ROUND_TRIPS_S)))],
        round_trip_jitter=JITTER,
        seed=int(random.integers(2**31)),
        log=True,
    )
    check(asked.account, settings)
    return settings


def departures(asked: ForecastInput, seed: int) -> tuple[list[float], list[str]]:
    """Return when each request leaves, seconds, ascending, and the function it asks for.

    Seeds are the plan's own where its arrivals are known, else drawn from `seed`.
    """
    (load,) = asked.loads
    own = load.seed if asked.fixed else int(np.random.default_rng([seed, 18]).integers(2**62))
    schedule = Schedule(load.phases, own)
    due_s = schedule.offsets(0, schedule.count)
    picks = Selection(own, load.weights, 0, DataOrder.RANDOM).requests(np.arange(len(due_s), dtype=np.int64))
    return due_s.tolist(), [load.calls[pick].function for pick in picks.tolist()]


def headers_of(settings: EmulatorSettings) -> dict[bytes, bytes]:
    """Return what every request says."""
    return {KEY_HEADER: KEY.encode()} if settings.api_keys else {}


def play_emulated(asked: Case, seed: int, settings: EmulatorSettings | None = None) -> Emulated:
    """Send a case's requests through the emulator's front desk, in virtual time, and return what it counted.

    Args:
        seed: of the round trip, the front, the service times and, where the plan's arrivals are not known, of those.
        settings: in place of those that `seed` gives.
    """
    settings = settings or settings_of(asked, seed)
    due_s, functions = departures(asked.asked, seed)
    timers = VirtualTimers()
    with _on(timers):
        desk = FrontDesk(asked.account, settings, timers)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a fake
        OtherTraffic(asked.account, desk, settings.seed)
        targets = {name: f"{settings.path_prefix}/{name}".encode() for name in asked.account.functions}
        headers, nobody = headers_of(settings), _Nobody()
        for at_s, function in zip(due_s, functions, strict=True):
            timers.move_to(at_s)
            exchange = Exchange(nobody)
            exchange.method, exchange.target, exchange.headers = b"GET", targets[function], headers
            desk.handle(exchange)
        timers.move_to(asked.asked.duration_s + AFTER_S)
        return emulated(stats(desk), desk.counts.log, settings.round_trip_s, 0.0)


def emulated(numbers: Mapping[str, Any], log: Iterable[Any], round_trip_s: float, start_s: float) -> Emulated:
    """Return what the emulator's own pages say of a run that began `start_s` after its log's time 0.

    Raises:
        ValueError: log and numbers contradict each other: the run was not counted in full.
    """
    requests = numbers["requests"]
    refused = [entry[0] for entry in log if entry[3] >= 400]
    if len(refused) != requests["throttled"] or requests["rejected"] or requests["function_errors"]:
        raise ValueError(f"{len(refused)} refused by the log, and in all: {requests}")
    if requests["admitted"] + requests["throttled"] != requests["received"]:
        raise ValueError(f"not all were decided on: {requests}")
    first_s = min(refused, default=NEVER) - start_s - round_trip_s / 2
    by_layer = {Layer(name): count for name, count in requests["throttled_by_layer"].items()}
    return Emulated(requests["received"], by_layer, first_s)


@contextmanager
def _on(timers: VirtualTimers) -> Iterator[None]:
    """Let the emulator read its clock from the timers."""

    def clock() -> float:
        return timers.now_s

    with (
        patch("burstline.emulator.front.monotonic", clock),
        patch("burstline.emulator.traffic.monotonic", clock),
        patch("burstline.emulator.control.monotonic", clock),
    ):
        yield
