"""The search: on seeded accounts in virtual time, through recorder, judging and report; and its pure rules."""

import numpy as np
import pytest
from burstline.core.quota.search.answer import Bounds, Found, Unanswerable
from burstline.core.quota.search.capped import highest_rate_under, wanted_count
from burstline.core.quota.search.finding import search
from burstline.core.quota.search.probing import MAIN, Part, Probe, ProbeOutcome, burst, drained, steady
from search_cases import searched


def answers(bounds: Bounds, outcome: ProbeOutcome) -> tuple[Found | None, list[Probe]]:
    """Give every probe the same outcome; return the answer and the probes."""
    probing = search(bounds)
    probes = [next(probing)]
    while True:
        try:
            probes.append(probing.send(outcome))
        except StopIteration as end:
            return end.value, probes


@pytest.mark.parametrize("seed", [4, 5, 7, 10])
def test_the_answer_is_within_2_percent_with_a_third_of_a_linear_ramps_requests(seed: int) -> None:
    one = searched(seed)
    assert one.found.family is one.case.family
    assert one.found.rate_per_s == pytest.approx(one.case.rate_per_s, rel=0.02)
    assert one.share <= 1 / 3
    if one.case.burst is not None and one.found.burst is not None:
        assert one.found.burst == pytest.approx(one.case.burst, rel=0.03, abs=3)


@pytest.mark.parametrize("seed", [190_162_787_095, 190_162_787_123])
def test_a_rule_that_lets_in_a_second_s_worth_at_first_is_not_taken_for_its_cap(seed: int) -> None:
    """A burst met the cap, and the cap's rate stood for the 10x rule's; or emptying it took most of the requests."""
    one = searched(seed)
    assert one.found.rate_per_s == pytest.approx(one.case.rate_per_s, rel=0.02)
    assert one.share <= 1 / 3


def test_a_bucket_is_told_from_a_counter_by_what_comes_back_where_answers_tell_nothing() -> None:
    one = searched(712_360_300_892)
    assert one.found.family is one.case.family
    assert one.found.rate_per_s == pytest.approx(one.case.rate_per_s, rel=0.02)


def test_no_probe_is_faster_than_the_bounds_where_nothing_throttles() -> None:
    found, probes = answers(Bounds(rate_per_s=700), ProbeOutcome({MAIN: Part(100, 0)}))
    assert found is not None
    assert found.family is None
    assert "nothing throttled" in found.text
    assert max(probe.peak_per_s for probe in probes) <= 700
    assert found.request_count == sum(probe.request_count for probe in probes)


def test_the_ceiling_of_requests_ends_the_search_before_it_is_passed() -> None:
    with pytest.raises(Unanswerable, match="ceiling of 100 requests"):
        answers(Bounds(request_count=100), ProbeOutcome({MAIN: Part(100, 0)}))


def test_a_generator_that_cannot_keep_up_is_never_taken_for_a_quota() -> None:
    with pytest.raises(Unanswerable, match="this generator was the limit"):
        answers(Bounds(), ProbeOutcome({MAIN: Part(16, 8)}, limited=True))


def test_probes_rest_between_each_other_so_that_buckets_refill() -> None:
    _, probes = answers(Bounds(rate_per_s=200, rest_s=7.0), ProbeOutcome({MAIN: Part(100, 0)}))
    assert probes[0].rest_s == 0
    assert all(probe.rest_s == 7.0 for probe in probes[1:])


def test_bursts_double_until_they_are_as_large_as_the_ceilings_allow() -> None:
    _, probes = answers(Bounds(rate_per_s=200, in_flight=70), ProbeOutcome({MAIN: Part(100, 0)}))
    assert [probe.request_count for probe in probes if "burst" in probe.about] == [16, 32, 64]


def test_a_probe_knows_what_it_sends() -> None:
    load = drained(30, 1000.0, 0.5, (*burst(20, 1000.0), *steady(50.0, 2.0, "then")))
    assert Probe(load, 0.0, "").request_count == 150


def test_the_highest_rate_under_a_cap_of_equal_calls_is_littles() -> None:
    assert highest_rate_under(50, np.full(100, 0.1)) == pytest.approx(500, rel=0.02)


@pytest.mark.parametrize(("cap", "spread"), [(12, 0.47), (40, 0.17), (114, 0.47)])
def test_the_highest_rate_hardly_hangs_on_what_is_drawn(cap: int, spread: float) -> None:
    services_s = np.sort(0.4 * np.random.default_rng(3).lognormal(0, spread, 20_000))
    rates = [highest_rate_under(cap, services_s, calls=500_000, seed=seed) for seed in range(3)]
    assert max(rates) / min(rates) < 1.03
    assert max(rates) < cap / services_s.mean()


def test_more_service_times_are_wanted_the_more_they_vary() -> None:
    assert wanted_count(np.full(10, 0.4)) == -10
    varying = np.random.default_rng(3).lognormal(0, 0.47, 1000)
    # standard deviation over mean is 0.5: (0.5 / 0.004)^2
    assert wanted_count(varying) + 1000 == pytest.approx(15_625, rel=0.1)


def test_service_times_that_vary_are_learnt_until_a_third_of_a_ramp_is_used_up() -> None:
    one = searched(77000041)
    assert one.found.concurrency == 24
    assert 0.2 < one.share <= 1 / 3
