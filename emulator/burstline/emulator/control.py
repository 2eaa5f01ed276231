"""The emulator's own pages, under a path no API uses: `/_burstline/stats`, `/reset`, `/log` and `/metrics`."""

import json
from dataclasses import asdict
from time import monotonic, process_time
from typing import Any

from burstline.emulator.answers import Answer
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import FrontDesk
from burstline.emulator.metrics import expose

CONTROL_PREFIX = b"/_burstline/"
"""Paths below it are never requests of an API, and not counted."""


def stats(desk: FrontDesk) -> dict[str, Any]:
    """Return all numbers since the start or the last reset, as a JSON document.

    Times are in seconds, numbers nobody knows yet are null. `cpu_s`: CPU time this process used. `requests`: what came
    in from outside, and `requests.preflight` apart from all others. `account`: the quotas' view, which includes
    preflight requests and other traffic. `lateness` and `loop_lag`: see `Lateness`; `target_limited` when the p99 of
    either is above 2 ms; `late_seconds`: whole seconds since the start of which the same is true.
    """
    counts, use = desk.counts, desk.admission.use()
    return {
        "front": desk.settings.front.value,
        "elapsed_s": monotonic() - counts.started_s,
        "cpu_s": process_time() - counts.started_cpu_s,
        "requests": {
            "received": counts.received,
            "by_run": dict(counts.runs),
            "preflight": counts.preflight,
            "bad": counts.bad,
            "admitted": counts.admitted,
            "throttled": counts.throttled.total(),
            "throttled_by_layer": {layer.value: number for layer, number in counts.throttled.items()},
            "rejected": counts.rejected,
            "by_status": {str(status): number for status, number in sorted(counts.statuses.items())},
            "function_errors": counts.function_errors,
            "integration_timeouts": counts.integration_timeouts,
            "closed": counts.closed,
            "hung": counts.hung,
        },
        "account": {
            "admitted": use.admitted_count,
            "throttled_by_layer": {layer.value: number for layer, number in use.throttled_count.items()},
            "cold_starts": use.cold_starts,
            "claimed": use.claimed,
            "peak_claimed": use.peak_claimed,
            "functions": {name: asdict(function) for name, function in use.functions.items()},
        },
        "lateness": asdict(counts.lateness.summary()),
        "loop_lag": asdict(counts.loop_lag.summary()),
        "target_limited": counts.target_limited,
        "late_seconds": counts.late_seconds.found,
    }


def control(desk: FrontDesk, exchange: Exchange) -> Answer:
    """Answer a control call: 404 for a page that is none, 405 for the wrong method."""
    page = exchange.target.partition(b"?")[0].removeprefix(CONTROL_PREFIX)
    wanted = b"POST" if page == b"reset" else b"GET"
    if page not in (b"stats", b"log", b"metrics", b"reset"):
        return Answer(404, b'{"message":"no such page"}')
    if exchange.method != wanted:
        return Answer(405, b'{"message":"wrong method"}', headers=(("Allow", wanted.decode()),))
    if page == b"reset":
        desk.reset()
        return Answer(200, b"{}")
    if page == b"metrics":
        body, content_type = expose(desk)
        return Answer(200, body, content_type)
    if page == b"log":
        return Answer(200, json.dumps(list(desk.counts.log)).encode())
    return Answer(200, json.dumps(stats(desk)).encode())
