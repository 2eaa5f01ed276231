"""Two cores against one: each core has a worker and a target of its own, and both pay for themselves.

On a machine with two cores the target of one worker would sit on the core of the other, and one worker alone would have
its target for nothing. So what is compared is all that one core carries, worker and target, with all that two carry;
the stripes of the workers share nothing. A rate is held as everywhere: p99 of lateness under 2 ms and nothing dropped,
by each worker. Both cores are kept awake in both settings, and whoever is measured goes before all else.

A shared machine's cores change their speed within seconds, so that a highest rate of two minutes ago says nothing about
now. So each round asks what two hold right after one, in multiples of its rate, and then one has to hold it again, and
not a tenth more. Every rate is tried twice.
Beside it stands what the machine itself gives in that time: a loop that shares nothing.
"""

import multiprocessing
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Measurement, Options, Row, alone, exact, median, ratio, rounds, spread
from benchmarks.engine.machine import cores, settle
from benchmarks.engine.target import Target, target
from benchmarks.engine.throughput import LATE_S, Ladder
from benchmarks.engine.worker import Worker, plan

STEP = 1.04
MULTIPLES = (2.0, 1.95, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.2, 1.0)
"""Of one worker's rate, as tried with two; more than 2 is not asked for."""

FASTER = 1.1
"""A round is void if one worker holds so many times its rate afterwards."""

LOOP_S = 0.5

Pairs = Sequence[tuple[Worker, Target]]


def _holds(pairs: Pairs, options: Options, rate: float) -> bool:
    """Return whether the pairs together hold a rate, requests/s."""
    load = Phase("all", options.seconds, Constant(rate))
    start_s = time.monotonic() + 0.5
    for index, (worker, to) in enumerate(pairs):
        to.behave()
        worker.begin(plan(to.url, load), index, len(pairs), start_s)
    ends = [worker.end() for worker, _ in pairs]
    return not any(end.dropped or end.lateness_p99_s >= LATE_S for end in ends)


def _gain(pairs: Pairs, options: Options, ladder: Ladder, rates: list[float]) -> float:
    """Return the multiple of one pair's highest rate that all hold right after it; adds that rate."""
    one = ladder.climb(lambda rate: _holds(pairs[:1], options, rate))
    found = next((m for m in MULTIPLES if any(_holds(pairs, options, m * one) for _ in range(2))), 0.0)
    if not one or not any(_holds(pairs[:1], options, one) for _ in range(2)):
        raise RuntimeError(f"one worker no longer holds {one:,.0f}/s: the machine became slower meanwhile")
    if any(_holds(pairs[:1], options, one * FASTER) for _ in range(2)):
        raise RuntimeError(f"one worker now holds more than {one:,.0f}/s: the machine became faster meanwhile")
    rates.append(one)
    return found


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
        options = stack.enter_context(exact(options))
        pairs = []
        for core in cores():
            to = stack.enter_context(target(core=core, realtime=options.realtime))
            worker = Worker(options.realtime, core)
            stack.callback(worker.close)
            pairs.append((worker, to))
        rates: list[float] = []
        contenders: dict[str, Measurement] = {
            "a loop": lambda: _loops(1),
            "two loops": lambda: _loops(2),
            "two over one": partial(_gain, pairs, options, Ladder(start, highest, STEP), rates),
        }
        found = rounds(options, contenders)
    gains, loops = found.get("two over one", []), ratio(found["two loops"], found["a loop"])
    text = "not measured"
    if gains:
        text = (
            f"{spread(gains, 2)} x the highest paced rate that one holds just before and after, {spread(rates)} "
            f"requests/s; each core carries a worker and its target, and more than 2 was not asked for; a loop that "
            f"shares nothing gets {loops:.2f} x here"
        )
    return [Row("two workers on two cores", ">= 1.9 x one", text, "", median(gains) >= 1.9 if gains else None)]


if __name__ == "__main__":
    alone(measure)
