"""Memory with 2,000 and 20,000 requests in flight: the most that the process had resident."""

import resource
from dataclasses import replace
from functools import partial

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine import peers
from benchmarks.engine.bench import Options, Row, alone, median, rounds, spread
from benchmarks.engine.target import Behaviour, Target, target
from benchmarks.engine.worker import Worker, plan

MEBIBYTE = 1 << 20
RATE = 1000.0
PEERS = ("hey", "wrk", "autocannon", "k6", "locust")


def _ours(to: Target, options: Options, count: int) -> float:
    """Open requests at a rate at which `count` are in flight after the delay, in a fresh process."""
    delay_s = count / RATE
    to.behave(Behaviour(delay_s=delay_s))
    worker = Worker(options.realtime)
    sent = worker.send(
        plan(to.url, Phase("all", delay_s + 2.0, Constant(RATE)), timeout_s=60.0, warm_count=0), latency_s=delay_s
    )
    worker.close()
    if to.seen().peak_connections < 0.9 * count:
        raise RuntimeError(f"only {to.seen().peak_connections} were in flight; {sent.ledger.signatures}")
    return sent.memory_bytes


def _theirs(name: str, to: Target, options: Options, count: int) -> float:
    to.behave(Behaviour(delay_s=count / RATE))
    before = peers.CONNECTION_COUNT
    peers.CONNECTION_COUNT = count
    try:
        used = peers.attack(options, name, to.url, 0.0, count / RATE + 2.0)
    finally:
        peers.CONNECTION_COUNT = before
    if to.seen().peak_connections < 0.9 * count:
        raise RuntimeError(f"only {to.seen().peak_connections} were in flight")
    return float(used.memory_bytes)


def _file_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def measure(options: Options) -> list[Row]:
    """Return a row for each count; one connection carries one request, so it must fit under `ulimit -n`."""
    rows = []
    with target(realtime=options.realtime) as to:
        for count in (200,) if options.quick else (2000, min(20_000, _file_limit() - 1000)):
            contenders = {"burstline": partial(_ours, to, options, count)}
            for name in PEERS:
                if name in options.programs and not (name == "locust" and count > 2000):
                    contenders[name] = partial(_theirs, name, to, options, count)
            few = replace(options, rounds=min(2 if count <= 2000 else 1, options.rounds))
            found = rounds(few, contenders)
            mine = found.pop("burstline", [float("nan")])
            others = "; ".join(f"{name} {spread(values, 0, 1 / MEBIBYTE)}" for name, values in found.items())
            theirs = [median(found[name]) for name in ("k6", "locust") if name in found]
            reached = median(mine) < min(theirs) if theirs else None
            what = f"memory with {count:,} requests in flight, MiB"
            rows.append(Row(what, "below k6 and Locust", spread(mine, 0, 1 / MEBIBYTE), others, reached))
    return rows


if __name__ == "__main__":
    alone(measure)
