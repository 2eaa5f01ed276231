"""Two cores against one: each core has a worker and a target of its own, and both pay for themselves.

On a machine with two cores the target of one worker would sit on the core of the other, and one worker alone would have
its target for nothing. So what is compared is all that one core carries, worker and target, with all that two carry;
the stripes of the workers share nothing. Beside it stands what the machine itself gives: a loop that shares nothing.
"""

import multiprocessing
import time
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Measurement, Options, Row, alone, median, ratio, rounds, spread
from benchmarks.engine.machine import cores, settle
from benchmarks.engine.target import Target, target
from benchmarks.engine.throughput import Ladder
from benchmarks.engine.worker import Worker, plan

STEP = 1.06
LOOP_S = 0.5


def _rate(pairs: list[tuple[Worker, Target]], options: Options, ladder: Ladder) -> float:
    """Return the highest rate that the pairs carry together without a drop, requests/s."""

    def holds(rate: float) -> bool:
        load = Phase("all", options.seconds, Constant(rate))
        start_s = time.monotonic() + 0.5
        for index, (worker, to) in enumerate(pairs):
            to.behave()
            worker.begin(plan(to.url, load), index, len(pairs), start_s)
        ends = [worker.end() for worker, _ in pairs]
        return not any(end.dropped for end in ends)

    return ladder.climb(holds)


def _loop(core: int, told: Connection) -> None:
    settle(core)
    told.recv()
    count, end_s = 0, time.monotonic() + LOOP_S
    while time.monotonic() < end_s:
        count += 1
    told.send(count)


def _loops(count: int) -> float:
    """Return how often a loop goes round on so many cores at once."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [
        context.Process(target=_loop, args=(core, theirs), daemon=True)
        for core, (_, theirs) in zip(cores(), pipes, strict=False)
    ]
    for process in processes:
        process.start()
    time.sleep(0.3)
    for ours, _ in pipes:
        ours.send(None)
    total = sum(ours.recv() for ours, _ in pipes)
    for process in processes:
        process.join()
    return float(total)


def measure(options: Options) -> list[Row]:
    """Return the row."""
    start = 300.0 if options.quick else 4000.0
    highest = 400.0 if options.quick else 150_000.0
    with ExitStack() as stack:
        pairs = []
        for core in cores():
            to = stack.enter_context(target(core=core))
            worker = Worker(core=core)
            stack.callback(worker.close)
            pairs.append((worker, to))
        contenders: dict[str, Measurement] = {
            "one": partial(_rate, pairs[:1], options, Ladder(start, highest, STEP)),
            "two": partial(_rate, pairs, options, Ladder(2 * start, 2 * highest, STEP)),
            "a loop": lambda: _loops(1),
            "two loops": lambda: _loops(2),
        }
        found = rounds(options, contenders)
    gain, loops = ratio(found["two"], found["one"]), ratio(found["two loops"], found["a loop"])
    text = (
        f"{gain:.2f} x: {spread(found['two'])} against {spread(found['one'])} requests/s, each core with its worker "
        f"and its target; a loop that shares nothing gets {loops:.2f} x here"
    )
    return [Row("two workers on two cores", ">= 1.9 x one", text, "", gain >= 1.9 if median(found["one"]) else None)]


if __name__ == "__main__":
    alone(measure)
