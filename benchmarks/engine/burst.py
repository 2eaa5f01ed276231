"""A burst of 800 requests in 50 ms: how long it takes on the wire, and how even it is."""

from functools import partial

import numpy as np
from burstline.core.load.plan import Bursts, Phase

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.target import Target, target
from benchmarks.engine.worker import Worker, plan

SIZE, WIDTH_S = 800, 0.05


def _burst(worker: Worker, to: Target, evenness: list[float], count: int) -> float:
    """Return the median time that a burst took to reach the target, seconds."""
    to.behave()
    sent = worker.send(
        plan(to.url, Phase("bursts", float(count), Bursts(SIZE, 1.0, WIDTH_S)), warm_count=0), latency_s=0.05
    )
    arrivals = to.seen().arrivals_s
    if sent.dropped:
        print(f"      dropped {sent.dropped}")
    spans = []
    for number in range(count):
        start_s = sent.start_s + number
        inside = arrivals[(arrivals >= start_s - 0.1) & (arrivals < start_s + 0.5)]
        if not len(inside):
            raise RuntimeError("a burst did not arrive")
        spans.append(float(inside[-1] - inside[0]))
        counts = np.histogram(inside, inside[0] + np.arange(6) * 0.01)[0]
        evenness.append(float(np.abs(counts / (SIZE / 5) - 1).max()))
    return median(spans)


def measure(options: Options) -> list[Row]:
    """Return the row."""
    evenness: list[float] = []
    count = 1 if options.quick else 5
    with exact(options) as options, target(realtime=options.realtime) as to:
        worker = Worker(options.realtime)
        found = rounds(options, {"burstline": partial(_burst, worker, to, evenness, count)})["burstline"]
        worker.close()
    text = f"{spread(found, 1, 1e3)} ms; the worst 10 ms of a burst is {median(evenness):.1%} off (median of bursts)"
    reached = median(found) < 0.055 and median(evenness) <= 0.05
    return [
        Row("a burst of 800 in 50 ms: time on the wire", "<= 55 ms; counts per 10 ms within 5 %", text, "", reached)
    ]


if __name__ == "__main__":
    alone(measure)
