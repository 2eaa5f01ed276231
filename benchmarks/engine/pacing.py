"""Pacing as the server sees it: how far requests arrive from the ideal schedule at 500, 2,000 and 8,000 a second."""

from collections.abc import Callable
from functools import partial

import numpy as np
from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.peers import PACED, attack
from benchmarks.engine.target import Seen, Target, target
from benchmarks.engine.worker import Worker, plan

SETTLE_S = 0.5
"""The first half second is not looked at: peers calibrate themselves and open connections."""


def distances_s(seen: Seen, rate: float) -> np.ndarray:
    """Return how far each arrival is from an even schedule, whose phase is the median's; seconds, absolute."""
    times = seen.arrivals_s - seen.arrivals_s[0]
    times = times[times >= SETTLE_S]
    off = times - np.arange(len(times)) / rate
    distances: np.ndarray = np.abs(off - np.median(off))
    return distances


def bin_error(seen: Seen, rate: float) -> float:
    """Return the p99 of |count - ideal| / ideal over 10 ms bins."""
    times = seen.arrivals_s - seen.arrivals_s[0]
    edges = np.arange(SETTLE_S, times[-1] - 0.01, 0.01)
    counts = np.histogram(times, edges)[0]
    return float(np.quantile(np.abs(counts - rate * 0.01) / (rate * 0.01), 0.99))


def _ours(worker: Worker, to: Target, rate: float, seconds: float, errors: list[float]) -> float:
    to.behave()
    worker.send(plan(to.url, Phase("all", seconds, Constant(rate))))
    seen = to.seen()
    errors.append(bin_error(seen, rate))
    return float(np.quantile(distances_s(seen, rate), 0.99))


def _theirs(name: str, to: Target, options: Options, rate: float, seconds: float) -> float:
    to.behave()
    attack(options, name, to.url, rate, seconds)
    seen = to.seen()
    if len(seen.arrivals_s) < rate * seconds / 3:
        raise RuntimeError(f"only {len(seen.arrivals_s)} of {rate * seconds:.0f} requests arrived")
    return float(np.quantile(distances_s(seen, rate), 0.99))


def measure(options: Options) -> list[Row]:
    """Return a row for each rate."""
    rows = []
    seconds = max(2.0, options.seconds)
    with exact(options) as options, target(realtime=options.realtime) as to:
        worker = Worker(options.realtime)
        for rate in (500, 2000, 8000)[: 1 if options.quick else 3]:
            errors: list[float] = []
            contenders: dict[str, Callable[[], float]] = {
                "burstline": partial(_ours, worker, to, rate, seconds, errors)
            }
            for name in PACED[:3]:
                if name in options.programs:
                    contenders[name] = partial(_theirs, name, to, options, rate, seconds + 1)
            found = rounds(options, contenders)
            mine = found.pop("burstline")
            others = "; ".join(f"{name} {spread(values, 3, 1e3)}" for name, values in found.items())
            best = min(
                (median(values) for name, values in found.items() if name in ("wrk2", "vegeta", "k6")), default=9.9
            )
            what = f"pacing seen by the server at {rate:,}/s: p99 distance from the schedule, ms"
            text = f"{spread(mine, 3, 1e3)}; counts per 10 ms off by {median(errors):.0%} (p99)"
            reached = median(mine) < 0.0002 and median(mine) < best
            rows.append(Row(what, "< 0.2 ms, and better than vegeta, wrk2, k6", text, others, reached))
        worker.close()
    return rows


if __name__ == "__main__":
    alone(measure)
