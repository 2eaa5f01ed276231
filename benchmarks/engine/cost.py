"""CPU time per request at a paced 1,000/s, where each request wakes the process twice: once to send, once to read."""

from functools import partial

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, median, ratio, rounds, spread
from benchmarks.engine.peers import PACED, attack
from benchmarks.engine.target import Target, target
from benchmarks.engine.worker import Worker, plan

RATE = 1000.0


def _ours(worker: Worker, to: Target, seconds: float) -> float:
    to.behave()
    return worker.send(plan(to.url, Phase("all", seconds, Constant(RATE)))).cpu_per_request_s


def _theirs(name: str, to: Target, options: Options, seconds: float) -> float:
    to.behave()
    used = attack(options, name, to.url, RATE, seconds)
    count = len(to.seen().arrivals_s)
    if count < RATE * seconds * 0.8:
        raise RuntimeError(f"only {count} requests arrived")
    return used.cpu_s / count


def measure(options: Options) -> list[Row]:
    """Return the row. A peer's start is in its figure; over some seconds it is small but for Locust's and Node's."""
    seconds = 1.0 if options.quick else 4.0
    with target(realtime=options.realtime) as to:
        uvloop, plain = Worker(options.realtime), Worker(options.realtime, loop="asyncio")
        contenders = {
            "burstline": partial(_ours, uvloop, to, seconds),
            "plain loop": partial(_ours, plain, to, seconds),
        }
        for name in PACED[:3]:
            if name in options.programs:
                contenders[name] = partial(_theirs, name, to, options, seconds)
        found = rounds(options, contenders)
        uvloop.close()
        plain.close()
    mine = found.pop("burstline")
    reached = ratio(mine, found["vegeta"]) <= 1.3 if "vegeta" in found else None
    others = "; ".join(
        f"{name} {spread(values, 0, 1e6)}, ratio {ratio(mine, values):.2f}" for name, values in found.items()
    )
    others = others.replace("plain loop", "burstline on asyncio's own loop")
    what = "CPU per request at a paced 1,000/s, microseconds"
    return [Row(what, "<= 1.3 x vegeta", spread(mine, 0, 1e6), others, reached if median(mine) else None)]


if __name__ == "__main__":
    alone(measure)
