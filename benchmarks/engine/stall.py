"""A target that stalls 1 s at 1,000/s: does the reported p99 say what a user would have seen?"""

import json
import math
import re
from functools import partial

import numpy as np
from burstline.core.load.plan import Constant, Phase

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds
from benchmarks.engine.peers import attack
from benchmarks.engine.target import Behaviour, Seen, Target, target
from benchmarks.engine.worker import Worker, plan

RATE = 1000.0


def truth_s(start_s: float, count: int, seen: Seen, q: float) -> float:
    """Return the quantile of latency from due, by the schedule and the stall alone; seconds."""
    due = start_s + np.arange(count) / RATE
    latency = np.where((due >= seen.stall_from_s) & (due < seen.stall_to_s), seen.stall_to_s - due, 0.0)
    return float(np.sort(latency)[math.ceil(q * count) - 1])


def _ours(worker: Worker, to: Target, seconds: float, errors: dict[float, list[float]]) -> float:
    to.behave(Behaviour(stall_after_s=seconds / 3))
    sent = worker.send(plan(to.url, Phase("all", seconds, Constant(RATE))))
    seen = to.seen()
    for q, found in errors.items():
        found.append(sent.latency_s[q] / truth_s(sent.start_s, sent.count, seen, q))
    return errors[0.99][-1]


def _reported_p99_s(name: str, output: str) -> float:
    """Return the p99 that a peer prints, seconds."""
    if name == "wrk2":
        found = re.search(r"99\.000%\s+([\d.]+)(us|ms|s)", output)
        if found:
            return float(found[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]
    if name == "hey" and (found := re.search(r"99%+ in ([\d.]+) secs", output)):
        return float(found[1])
    if name == "autocannon":
        return float(json.loads(output[output.index("{") :])["latency"]["p99"]) / 1e3
    if name == "k6" and (found := re.search(r"http_req_duration\S*\s*p\(99\)=([\d.]+)(µs|ms|s)", output)):
        return float(found[1]) * {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[found[2]]
    if name == "artillery":
        return float(json.loads(output)["aggregate"]["summaries"]["http.response_time"]["p99"]) / 1e3
    if name == "vegeta":
        return float(json.loads(output)["latencies"]["99th"]) / 1e9
    if name == "locust":
        times = json.loads(re.search(r"^\[\n.*?^\]", output, re.S | re.M)[0])[0]["response_times"]  # type: ignore[index]
        ordered = sorted((float(ms), count) for ms, count in times.items())
        total, passed = sum(count for _, count in ordered), 0
        for ms, count in ordered:
            passed += count
            if passed >= 0.99 * total:
                return ms / 1e3
    raise RuntimeError(f"no p99 in its output: {output[-200:]}")


def _theirs(name: str, to: Target, options: Options, seconds: float) -> float:
    to.behave(Behaviour(stall_after_s=seconds / 3))
    used = attack(options, name, to.url, RATE, seconds)
    seen = to.seen()
    start_s = float(seen.arrivals_s[0])
    return _reported_p99_s(name, used.output) / truth_s(start_s, int(RATE * seconds), seen, 0.99)


def measure(options: Options) -> list[Row]:
    """Return the row: reported over true."""
    seconds = 3.0 if options.quick else 10.0
    errors: dict[float, list[float]] = {0.99: [], 0.999: []}
    with exact(options) as options, target(realtime=options.realtime) as to:
        worker = Worker(options.realtime)
        contenders = {"burstline": partial(_ours, worker, to, seconds, errors)}
        for name in ("wrk2", "vegeta", "k6", "locust", "artillery", "hey"):
            if name in options.programs:
                contenders[name] = partial(_theirs, name, to, options, seconds)
        found = rounds(options, contenders)
        worker.close()
    found.pop("burstline", None)
    text = ", ".join(f"p{q * 100:g} {min(r):.3f} to {max(r):.3f} of the truth" for q, r in errors.items())
    others = "; ".join(f"{name} p99 {median(values):.3f} of the truth" for name, values in found.items())
    reached = all(abs(median(values) - 1) < 0.02 for values in errors.values())
    return [Row("a target that stalls 1 s: reported over true", "p99 and p99.9 within 2 %", text, others, reached)]


if __name__ == "__main__":
    alone(measure)
