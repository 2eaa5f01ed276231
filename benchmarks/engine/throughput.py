"""The highest rate that is held, plain and over TLS 1.3: paced, lateness p99 < 2 ms, nothing dropped.

Tools that cannot be paced, or say nothing of lateness, run as fast as they can with 64 connections: no paced rate of
theirs can be higher, so the comparison favours them. Paced peers are judged by when their requests reach the target.
"""

import math
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import numpy as np
from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, exact, median, ratio, rounds, spread
from benchmarks.engine.peers import COMMANDS, attack
from benchmarks.engine.target import Seen, Target, target
from benchmarks.engine.worker import Worker, plan

STEP = 1.2
LATE_S = 0.002
SETTLE_S = 0.5
SLOW_TO_START = {"locust": 4.0, "artillery": 4.0}
"""Seconds that these run for: they begin slowly, the more so over TLS."""

JUDGED = {"vegeta": LATE_S, "k6": math.inf}
"""Paced peers, with the p99 of lateness up to which they hold a rate. k6 holds none by our measure: at any rate more
than one request in a hundred is 2 ms late. So it is only asked to send 99 of 100, which favours it; wrk2 runs unpaced,
which favours it too."""

NOT_OVER_TLS = frozenset({"wrk2", "ab", "autocannon"})


class Ladder:
    """Finds the highest rate that holds, by rungs of `STEP`; later climbs begin two rungs below the last one's end.

    Args:
        start: the first rung, requests/s.
        highest: the last one.
        step: between two rungs, a factor > 1.
    """

    def __init__(self, start: float, highest: float = 150_000.0, step: float = STEP) -> None:
        self._start, self._lowest, self._highest, self._step = start, start / 8, highest, step
        self._doubling = True

    def climb(self, holds: Callable[[float], bool]) -> float:
        """Return the highest rung that holds in two tries; 0 if none does."""
        rate, best = self._start, 0.0

        def stands(rate: float) -> bool:
            return rate <= self._highest and any(holds(rate) for _ in range(2))

        while not best and rate >= self._lowest:
            if stands(rate):
                best = rate
            else:
                rate /= self._step**2
        while best and self._doubling and stands(best * 2):
            best *= 2
        while best and stands(best * self._step):
            best *= self._step
        if best:
            self._start, self._doubling = best / self._step**2, False
        return best


def ours(worker: Worker, to: Target, options: Options, ladder: Ladder) -> float:
    """Return burstline's highest rate."""

    def holds(rate: float) -> bool:
        to.behave()
        sent = worker.send(plan(to.url, Phase("all", options.seconds, Constant(rate))))
        return sent.dropped == 0 and sent.lateness_p99_s < LATE_S and sent.ledger.signatures == {"plain.ok": sent.count}

    return ladder.climb(holds)


def late_p99_s(seen: Seen, rate: float) -> float:
    """Return the p99 of how late requests reached the target, against the even schedule that fits them best.

    The first half second is not looked at: peers calibrate themselves and open connections.
    """
    times = seen.arrivals_s - seen.arrivals_s[0]
    times = times[times >= SETTLE_S]
    late = times - np.arange(len(times)) / rate
    return float(np.quantile(late - np.quantile(late, 0.01), 0.99))


def paced_peer(name: str, to: Target, options: Options, ladder: Ladder) -> float:
    """Return a paced peer's highest rate, as the target saw it."""

    def holds(rate: float) -> bool:
        to.behave()
        attack(options, name, to.url, rate, options.seconds + SETTLE_S)
        seen = to.seen()
        settled = int(np.count_nonzero(seen.arrivals_s >= seen.arrivals_s[0] + SETTLE_S))
        wanted = 0.99 * rate * (round(options.seconds + SETTLE_S) - SETTLE_S)
        return settled >= wanted and late_p99_s(seen, rate) < JUDGED[name]

    return ladder.climb(holds)


def closed_peer(name: str, to: Target, options: Options) -> float:
    """Return a peer's requests/s as fast as it can."""
    to.behave()
    attack(options, name, to.url, 0.0, SLOW_TO_START.get(name, options.seconds))
    seen = to.seen().arrivals_s
    if len(seen) < 100:
        raise RuntimeError(f"only {len(seen)} requests arrived")
    settled = seen[seen >= seen[0] + (seen[-1] - seen[0]) / 3]  # a ramp is not what is asked for
    return float((len(settled) - 1) / (settled[-1] - settled[0]))


def _measure(options: Options, tls: bool) -> Row:
    start = 500.0 if options.quick else 5000.0
    with exact(options) as options, target(tls=tls, realtime=options.realtime) as to, ExitStack() as stack:
        environment = {"SSL_CERT_FILE": to.certificate} if tls else {}
        worker = Worker(options.realtime, environment=environment)
        stack.callback(worker.close)
        if options.quick:
            to.behave()
            sent = worker.send(plan(to.url, Phase("all", options.seconds, Constant(start))))
            return Row("rate", "", f"{sent.ledger.sent} sent", reached=None)
        contenders = {"burstline": partial(ours, worker, to, options, Ladder(start))}
        for name in COMMANDS:
            if name in options.programs and not (tls and name in NOT_OVER_TLS):
                paced = name in JUDGED
                contenders[name] = (
                    partial(paced_peer, name, to, options, Ladder(start / 8))
                    if paced
                    else partial(closed_peer, name, to, options)
                )
        found = rounds(options, contenders)
    mine = found.pop("burstline", [0.0])
    ratios = {name: ratio(mine, values) for name, values in found.items()}
    shown = {"k6": "k6 (however late)"}
    others = "; ".join(
        f"{shown.get(name, name)} {spread(values)}, ratio {ratios[name]:.2f}" for name, values in found.items()
    )
    goals = {"k6": 1.5, "vegeta": 1.0, "locust": 3.0, "artillery": 12.0}
    reached = all(ratios[name] >= goal for name, goal in goals.items() if name in ratios)
    what = f"highest paced rate, {'TLS 1.3' if tls else 'plain HTTP'}, requests/s"
    return Row(
        what, "1.5 x k6, 1.0 x vegeta, 3 x Locust, 12 x Artillery", spread(mine), others, reached and median(mine) > 0
    )


def measure(options: Options) -> list[Row]:
    """Return the row of plain HTTP."""
    return [_measure(options, tls=False)]


def measure_tls(options: Options) -> list[Row]:
    """Return the row of TLS 1.3."""
    return [_measure(options, tls=True)]


if __name__ == "__main__":
    alone(measure)
    sys.exit()
