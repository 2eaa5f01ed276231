"""Two workers on two cores against one: the stripes share nothing, so the cost of a request must stay the same.

With two cores the target runs on one of the workers' cores, so the highest rates of one and of two cannot be compared
there. What is compared is requests per second of the workers' CPU time, times the number of workers; with a third core
for the target that is the rate.
"""

import time
from functools import partial

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, median, ratio, rounds, spread
from benchmarks.engine.machine import cores
from benchmarks.engine.target import Target, target
from benchmarks.engine.worker import Worker, plan


def _capacity(workers: list[Worker], to: Target, options: Options, rate: float) -> float:
    """Return the workers' requests per second of CPU time, summed, with `rate` each."""
    to.behave()
    load = Phase("all", options.seconds, Constant(rate * len(workers)))
    start_s = time.monotonic() + 0.5
    for index, worker in enumerate(workers):
        worker.begin(plan(to.url, load), index, len(workers), start_s)
    return sum(1 / worker.end().cpu_per_request_s for worker in workers)


def measure(options: Options) -> list[Row]:
    """Return the row."""
    rate = 300.0 if options.quick else 6000.0
    first, last = cores()
    with target(realtime=options.realtime) as to:
        pair = [Worker(options.realtime, first), Worker(options.realtime, last)]
        found = rounds(
            options,
            {
                "one": partial(_capacity, pair[:1], to, options, rate),
                "two": partial(_capacity, pair, to, options, rate),
            },
        )
        for worker in pair:
            worker.close()
    gain = ratio(found["two"], found["one"])
    text = f"{gain:.2f} x: {spread(found['two'])} against {spread(found['one'])} requests per CPU second"
    return [Row("two workers on two cores", ">= 1.9 x one", text, "", gain >= 1.9 if median(found["one"]) else None)]


if __name__ == "__main__":
    alone(measure)
