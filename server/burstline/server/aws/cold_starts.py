"""Cold starts from a function's own log: Logs Insights over its REPORT lines, text and JSON."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from burstline.core.quota.aws.cold_starts import ColdStarts, enough
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError, Refused

TEXT, JSON = "Text", "JSON"

POLL_S = 1.0
WAIT_S = 60.0
"""Between two looks at a query, and at most for one, seconds."""

_START = {
    TEXT: """filter @type = "REPORT"
| parse @message /Restore Duration: (?<restore>[0-9.]+) ms/
| fields coalesce(@initDuration, restore) as init, @duration as duration, @billedDuration as billed""",
    JSON: """filter type = "platform.report"
| fields coalesce(record.metrics.initDurationMs, record.metrics.restoreDurationMs) as init, """
    """record.metrics.durationMs as duration, record.metrics.billedDurationMs as billed""",
}
"""The lines of one invocation each, with the same three fields in milliseconds. With SnapStart there is a restore time
in place of an init time. Source: Lambda Developer Guide, "Monitoring for Lambda SnapStart" and "Configuring JSON and
plain text log formats"; read 2026-11-23."""

_TOTALS = """| stats count(*) as invocations, count(init) as cold, pct(init, 50) as init_p50, pct(init, 99) as init_p99,
max(init) as init_max, sum(init) as init_sum, sum(billed) as billed_sum"""

_KINDS = """| stats count(*) as n, pct(duration + coalesce(init, 0), 50) as p50,
pct(duration + coalesce(init, 0), 99) as p99 by ispresent(init) as cold"""


def totals_query(log_format: str) -> str:
    """Return the query of counts, init times and billed time of a log format, `Text` or `JSON`."""
    return f"{_START[log_format]}\n{_TOTALS}"


def kinds_query(log_format: str) -> str:
    """Return the query of durations of warm and cold invocations, init added, of a log format."""
    return f"{_START[log_format]}\n{_KINDS}"


async def read_cold_starts(
    aws: Aws,
    function: str,
    log_group: tuple[str, str],
    span_s: tuple[float, float],
    *,
    now_s: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> ColdStarts | None:
    """Return what a function's REPORT lines say; None if there are none yet (Insights is a minute or two behind).

    Args:
        aws: whom to ask.
        function: whose.
        log_group: its group and format.
        span_s: from and to, seconds since the Unix epoch; lines of the seconds at both ends are in.
        now_s: seconds since the Unix epoch.
        sleep: waits so many seconds.

    Raises:
        AwsError: the log could not be queried; a missing permission names its action.
    """
    group, log_format = log_group[0], JSON if log_group[1].upper() == "JSON" else TEXT

    async def rows(query: str) -> list[dict[str, str]]:
        return await _run(aws, group, query, span_s, now_s, sleep)

    totals = await rows(totals_query(log_format))
    count = int(_number(totals[0], "invocations") or 0) if totals else 0
    if not count:
        return None
    kinds = {row.get("cold", "") in ("1", "true"): row for row in await rows(kinds_query(log_format))}
    return _cold_starts(function, log_format, totals[0], kinds.get(False, {}), kinds.get(True, {}))


def _cold_starts(
    function: str, log_format: str, totals: dict[str, str], warm: dict[str, str], cold: dict[str, str]
) -> ColdStarts:
    def seconds(row: dict[str, str], name: str, count: int | None = None, quantile: float = 0.0) -> float | None:
        value = _number(row, name)
        return None if value is None or (count is not None and not enough(count, quantile)) else value / 1000

    cold_count = int(_number(totals, "cold") or 0)
    warm_n, cold_n = int(_number(warm, "n") or 0), int(_number(cold, "n") or 0)
    return ColdStarts(
        function=function,
        log_format=log_format,
        invocation_count=int(_number(totals, "invocations") or 0),
        cold_count=cold_count,
        init_p50_s=seconds(totals, "init_p50", cold_count, 0.5),
        init_p99_s=seconds(totals, "init_p99", cold_count, 0.99),
        init_max_s=seconds(totals, "init_max"),
        warm_p50_s=seconds(warm, "p50", warm_n, 0.5),
        warm_p99_s=seconds(warm, "p99", warm_n, 0.99),
        cold_p50_s=seconds(cold, "p50", cold_n, 0.5),
        cold_p99_s=seconds(cold, "p99", cold_n, 0.99),
        billed_s=seconds(totals, "billed_sum"),
        init_billed_s=seconds(totals, "init_sum") if cold_count else 0.0,
    )


async def _run(
    aws: Aws,
    group: str,
    query: str,
    span_s: tuple[float, float],
    now_s: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> list[dict[str, str]]:
    # Insights counts in whole seconds, unlike FilterLogEvents, which takes milliseconds.
    given: dict[str, Any] = {"startTime": int(span_s[0]), "endTime": int(span_s[1]) + 1, "limit": 1000}
    query_id = (await aws.call("logs", "StartQuery", logGroupName=group, queryString=query, **given))["queryId"]
    until_s = now_s() + WAIT_S
    while True:
        answer = await aws.call("logs", "GetQueryResults", queryId=query_id)
        status = str(answer.get("status", "Unknown"))
        if status == "Complete":
            return [{cell["field"]: cell.get("value", "") for cell in row} for row in answer.get("results", [])]
        if status not in ("Scheduled", "Running"):
            raise Refused(status, f"logs query ended as {status}")
        if now_s() >= until_s:
            await _stop(aws, query_id)
            raise Refused("Timeout", f"the logs query did not end within {WAIT_S:.0f} s")
        await sleep(POLL_S)


async def _stop(aws: Aws, query_id: str) -> None:
    """Stop a query that is paid by the bytes it scans; if that is not allowed, it ends by itself."""
    try:
        await aws.call("logs", "StopQuery", queryId=query_id)
    except AwsError:
        return


def _number(row: dict[str, str], name: str) -> float | None:
    try:
        return float(row[name])
    except (KeyError, ValueError):
        return None
