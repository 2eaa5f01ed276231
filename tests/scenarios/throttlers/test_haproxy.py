"""The fit against HAProxy's stick tables: a counter over a period that counts what it refuses."""

from pathlib import Path

import pytest
from burstline.core.load.window import BIN_S
from burstline.core.quota.quotas import Family
from throttlers.daemons import haproxy
from throttlers.pressing import Found, press, until_right


@pytest.mark.parametrize(
    ("count", "period_s", "status", "load"),
    [
        pytest.param(200, 1, 429, ((300, 5), (100, 4), (300, 4)), id="1 s, 429"),
        pytest.param(450, 3, 503, ((250, 8), (80, 6), (250, 5)), id="3 s, 503", marks=pytest.mark.slow),
    ],
)
async def test_http_req_rate_is_a_counter_over_two_periods_that_counts_refused_requests(
    tmp_path: Path, count: int, period_s: int, status: int, load: tuple[tuple[float, float], ...]
) -> None:
    async def once() -> Found:
        with haproxy(tmp_path, count, period_s, status) as url:
            return await press(url, *load)

    def check(found: Found) -> list[str]:
        if found.families() != ["window_counter"]:
            return [f"the law is {found.families()}"]
        measured = found.number(Family.WINDOW_COUNTER, "count")
        period = found.number(Family.WINDOW_COUNTER, "period")
        wrong = []
        if abs(measured.value - count) > 0.02 * count:
            wrong.append(f"the count is {measured.value:.1f}, not {count}")
        if abs(period.value - period_s) > 1.01 * BIN_S:
            wrong.append(f"the period is {period.value:.3f} s, not {period_s} s")
        return wrong

    await until_right(once, check)


async def test_under_steady_pressure_all_is_refused_after_the_first_window_the_count_shows_and_the_period_cannot(
    tmp_path: Path,
) -> None:
    """Any period from the first refusal's time on would have refused the same; none is stated, or a range with it."""
    count, period_s = 300, 2

    async def once() -> Found:
        with haproxy(tmp_path, count, period_s, 429) as url:
            return await press(url, (400, 10))

    def check(found: Found) -> list[str]:
        passed = found.totals.signatures().get("plain.ok", 0)
        wrong = [] if abs(passed - count) <= 3 else [f"{passed} passed, not {count}: this is not what HAProxy does"]
        if found.families() != ["window_counter"]:
            return [*wrong, f"the law is {found.families()}"]
        measured = found.number(Family.WINDOW_COUNTER, "count")
        if abs(measured.value - count) > 0.02 * count:
            wrong.append(f"the count is {measured.value:.1f}, not {count}")
        stated = [one for one in found.result.fits if one.parameter == "period"]
        wrong += [
            f"the period is said to be within [{one.low:.2f}, {one.high:.2f}] s, not {period_s} s"
            for one in stated
            if not one.low <= period_s <= one.high
        ]
        return wrong

    await until_right(once, check)
