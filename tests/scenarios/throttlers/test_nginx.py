"""The fit against nginx: its `limit_req` is a bucket, its `limit_conn` a cap on concurrency."""

import contextlib
import sys
from pathlib import Path

import pytest
from burstline.core.quota.quotas import Family
from ports import free_port
from throttlers.daemons import child, nginx
from throttlers.pressing import Found, press, until_right


def off(found: Found, family: Family, parameter: str, truth: float, allowed: float) -> list[str]:
    """Return what is wrong with an estimate: too far off, or an interval that misses the truth."""
    one = found.number(family, parameter)
    wrong = [] if abs(one.value - truth) <= allowed else [f"{parameter} is {one.value:.3f}, not {truth:g}"]
    if not one.low <= truth <= one.high:
        wrong.append(f"{parameter} is not within [{one.low:.3f}, {one.high:.3f}]")
    return wrong


@pytest.mark.parametrize(
    ("rate", "burst", "status", "load"),
    [
        pytest.param(100, 49, 429, ((60, 1.5), (250, 10)), id="429, full at the start"),
        pytest.param(
            150, 99, 503, ((400, 5), (0, 1.5), (400, 5)), id="nginx's own 503, with a rest", marks=pytest.mark.slow
        ),
    ],
)
async def test_limit_req_without_delay_is_a_bucket_of_its_rate_and_one_more_than_its_burst(
    tmp_path: Path, rate: int, burst: int, status: int, load: tuple[tuple[float, float], ...]
) -> None:
    zones = f"  limit_req_zone $binary_remote_addr zone=all:1m rate={rate}r/s;\n  limit_req_status {status};"
    location = f"      limit_req zone=all burst={burst} nodelay;\n      empty_gif;"

    async def once() -> Found:
        with nginx(tmp_path, zones, location) as url:
            return await press(url, *load)

    def check(found: Found) -> list[str]:
        if found.families() != ["bucket"]:
            return [f"the law is {found.families()}"]
        allowed = max(3.0, 0.01 * (burst + 1), 0.002 * rate)
        return off(found, Family.BUCKET, "rate", rate, 0.002 * rate) + off(
            found, Family.BUCKET, "burst", burst + 1, allowed
        )

    await until_right(once, check)


@pytest.mark.parametrize(
    ("cap", "status", "times_ms"),
    [
        pytest.param(20, 429, (200, 200), id="429, fixed service time", marks=pytest.mark.slow),
        pytest.param(30, 503, (80, 300), id="nginx's own 503, service time varies"),
    ],
)
async def test_limit_conn_is_a_cap_on_requests_in_flight(
    tmp_path: Path, cap: int, status: int, times_ms: tuple[int, int]
) -> None:
    port = free_port()
    zones = f"  limit_conn_zone $binary_remote_addr zone=all:1m;\n  limit_conn_status {status};"
    location = f"      limit_conn all {cap};\n      proxy_pass http://127.0.0.1:{port};"
    through_per_s = cap / (sum(times_ms) / 2000)
    target = [sys.executable, str(Path(__file__).with_name("slow_target.py")), str(port), *map(str, times_ms)]

    async def once() -> Found:
        with contextlib.ExitStack() as running:
            running.enter_context(child(target, port, tmp_path / "target.out"))
            url = running.enter_context(nginx(tmp_path, zones, location))
            return await press(url, (0.4 * through_per_s, 2), (1.7 * through_per_s, 10))

    def check(found: Found) -> list[str]:
        if found.families() != ["concurrency"]:
            return [f"the law is {found.families()}"]
        return off(found, Family.CONCURRENCY, "concurrency", cap, max(1.0, 0.01 * cap))

    await until_right(once, check)
