"""Fits of whole runs over HTTP against the account file's truth, which neither plan nor command knows."""

from pathlib import Path

import pytest
from practice_runs import Practised, practise

HEAD = 'target: {url: "http://127.0.0.1:1/prod", front: rest, stage: prod}\n'

BUCKET = """\
apigateway: {stages: {prod: {rate: 120, burst: 60}}}
lambda: {functions: {catalog: {duration: 5ms}}}
emulator: {front: rest, stage: prod, round_trip: 10ms}
"""
POOL = """\
lambda:
  concurrency: 40
  functions: {catalog: {duration: 100ms}, checkout: {duration: 400ms}}
emulator: {front: rest, stage: prod, routes: {/: catalog, /orders: checkout}, round_trip: 10ms}
"""


def bucket_fits(run: Practised, rate: float, burst: float, precision: float) -> None:
    """The bucket is named, its numbers are near, their intervals hold the truth, and every throttle is counted."""
    assert run.report["ledger"]["outcomes"]["throttled"] == run.throttled_count
    (found,), (size,) = run.fits("bucket", "rate"), run.fits("bucket", "burst")
    assert found[0] == pytest.approx(rate, rel=precision)
    assert size[0] == pytest.approx(burst, abs=max(3.0, 0.01 * burst))
    assert found[1] <= rate <= found[2]
    assert size[1] <= burst <= size[2]


def test_a_short_steady_run_finds_the_stages_bucket(tmp_path: Path) -> None:
    plan = HEAD + "name: short\nrequests: [{name: a, get: /a}]\nload: [{for: 5s, rate: 240}]\n"
    bucket_fits(practise(tmp_path, plan, BUCKET), 120, 60, 0.005)


@pytest.mark.slow
def test_twenty_seconds_of_steady_load_find_the_rate_to_a_fifth_of_a_per_cent(tmp_path: Path) -> None:
    plan = HEAD + "name: steady\nrequests: [{name: a, get: /a}]\nload: [{for: 20s, rate: 240}]\n"
    bucket_fits(practise(tmp_path, plan, BUCKET), 120, 60, 0.002)


@pytest.mark.slow
def test_a_train_of_bursts_finds_rate_and_burst(tmp_path: Path) -> None:
    account = BUCKET.replace("rate: 120, burst: 60", "rate: 60, burst: 120")
    load = "load: [{for: 21s, rate: 30, bursts: {size: 200, every: 3s, width: 200ms}}]\n"
    bucket_fits(
        practise(tmp_path, HEAD + "name: train\nrequests: [{name: a, get: /a}]\n" + load, account), 60, 120, 0.01
    )


@pytest.mark.slow
def test_weighted_requests_to_two_functions_find_the_cap_that_they_share(tmp_path: Path) -> None:
    plan = HEAD + (
        "name: weighted\n"
        "requests: [{name: browse, weight: 3, get: /browse}, {name: order, weight: 1, get: /orders}]\n"
        "load: [{for: 3s, rate: 60}, {for: 20s, rate: 320}]\n"
    )
    run = practise(tmp_path, plan, POOL)
    ((cap, low, high),) = run.fits("concurrency", "concurrency")
    assert cap == pytest.approx(40, abs=1)
    assert low <= 40 <= high
    assert run.report["ledger"]["outcomes"]["throttled"] == pytest.approx(run.throttled_count, rel=0.01)
