"""Memory with 2,000 and 20,000 requests in flight: the most that the process had resident."""

import resource
from dataclasses import replace
from functools import partial

from burstline.core.load.plan import Constant, Phase

from benchmarks.engine import peers
from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.target import Behaviour, Target, target
from benchmarks.engine.worker import Worker, plan

MEBIBYTE = 1 << 20
RATE = 1000.0
"""At which connections are opened, requests/s: an answer comes when all are."""

EASY_COUNT, SLOW_RATE = 13_000, 200.0
"""Beyond so many connections to one address and port ours are opened slowly, requests/s. At 1,000/s all were in time up
to 14,000 connections, which is half of the usual local ports, and a third of them from there on: presumably it is the
kernel's search for a free port."""

PEERS = ("hey", "wrk", "autocannon", "k6", "locust")
HOLDS = {"locust": 3.0}
"""How much longer an answer takes for peers that begin slowly: all of their users are to wait at the same time."""

OTHER_FILES = 100
"""What a process has open besides its connections, at most."""

ENOUGH = 0.95
"""The share of the requests asked for that must have been in flight at once."""


def _ours(to: Target, options: Options, count: int, seen: dict[str, list[int]]) -> float:
    """Open requests none of which is answered before `count` are in flight, in a fresh process."""
    load = [Phase("all", min(count, EASY_COUNT) / RATE, Constant(RATE))]
    if count > EASY_COUNT:
        load.append(Phase("slowly", (count - EASY_COUNT) / SLOW_RATE, Constant(SLOW_RATE)))
    delay_s = sum(phase.duration_s for phase in load) + 1.0
    to.behave(Behaviour(delay_s=delay_s))
    worker = Worker(options.realtime)
    sent = worker.send(plan(to.url, *load, timeout_s=2 * delay_s, warm_count=0), latency_s=delay_s)
    worker.close()
    _check("burstline", to, count, seen)
    return sent.memory_bytes


def _theirs(name: str, to: Target, options: Options, count: int, seen: dict[str, list[int]]) -> float:
    """Let a peer have as many connections; each of its users asks once, for the answer comes at the end."""
    delay_s = HOLDS.get(name, 1.0) * count / RATE
    to.behave(Behaviour(delay_s=delay_s))
    before = peers.CONNECTION_COUNT
    peers.CONNECTION_COUNT = count
    try:
        used = peers.attack(options, name, to.url, 0.0, delay_s)
    finally:
        peers.CONNECTION_COUNT = before
    _check(name, to, count, seen)
    return float(used.memory_bytes)


def _check(name: str, to: Target, count: int, seen: dict[str, list[int]]) -> None:
    """Keep how many were in flight: the target answers none before all were to be there."""
    peak = to.seen().peak_connections
    if peak < ENOUGH * count:
        raise RuntimeError(f"only {peak:,} of {count:,} were in flight")
    seen.setdefault(name, []).append(peak)


def _file_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _row(to: Target, options: Options, nominal: int) -> Row:
    """Return the row of so many requests; one connection carries one, so they must fit under `ulimit -n`."""
    count = min(nominal, _file_limit() - OTHER_FILES)
    seen: dict[str, list[int]] = {}
    contenders = {"burstline": partial(_ours, to, options, count, seen)}
    for name in PEERS:
        if name in options.programs:
            contenders[name] = partial(_theirs, name, to, options, count, seen)
    found = rounds(replace(options, rounds=min(2 if count <= 2000 else 1, options.rounds)), contenders)

    def cell(name: str) -> str:
        return f"{spread(found[name], 0, 1 / MEBIBYTE)} with {median(seen[name]):,.0f} in flight"

    mine = found.get("burstline", [])
    others = "; ".join(f"{name} {cell(name)}" for name in found if name != "burstline")
    theirs = [median(found[name]) for name in ("k6", "locust") if name in found]
    reached = median(mine) < min(theirs) if theirs and mine else None
    text = cell("burstline") if mine else "not measured"
    return Row(f"memory with {nominal:,} requests in flight, MiB", "below k6 and Locust", text, others, reached)


def measure(options: Options) -> list[Row]:
    """Return a row for each count."""
    with exact(options) as options, target(realtime=options.realtime) as to:
        return [_row(to, options, count) for count in ((200,) if options.quick else (2000, 20_000))]


if __name__ == "__main__":
    alone(measure)
