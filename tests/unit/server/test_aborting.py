"""Abort rules hold for consecutive seconds, on provisional outcomes."""

import pytest
from burstline.core.load.histogram import Histogram
from burstline.core.load.totals import Second
from burstline.core.load.window import Drop, Latency, Load
from burstline.server.control.aborting import AbortWatch, measure
from burstline.wire.conditions import parse_condition


def second(**answers: int) -> Second:
    """Return a second in which these became known; names with "__" for "."."""
    latency = Histogram()
    for _ in range(sum(answers.values())):
        latency.add(0.2)
    counts = {name.replace("__", "."): count for name, count in answers.items()}
    return Second(Load(20, 16, 16, {Drop.LATE: 4}), counts, {"plain.ok": Latency(due=latency)})


def watch(text: str) -> AbortWatch:
    """Return a watch with one rule."""
    return AbortWatch([parse_condition(text, duration_allowed=True)])


def test_a_rule_without_a_span_stops_at_the_first_second() -> None:
    rule = watch("failed > 20%")
    assert rule.observe(0, second(plain__ok=9, plain__5xx=1)) is None
    found = rule.observe(1, second(plain__ok=1, plain__5xx=1))
    assert found is not None
    assert found.text == "failed > 20%"


def test_a_span_must_be_without_a_gap() -> None:
    rule = watch("failed > 20% for 3s")
    bad, good = second(plain__5xx=1), second(plain__ok=1)
    seen = [rule.observe(i, s) is not None for i, s in enumerate([bad, bad, good, bad, bad, bad])]
    assert seen == [False, False, False, False, False, True]


@pytest.mark.parametrize("gap", [None, "skipped"])
def test_a_second_without_news_breaks_the_span(gap: str | None) -> None:
    rule = watch("failed > 20% for 2s")
    assert rule.observe(0, second(plain__5xx=1)) is None
    if gap is None:
        assert rule.observe(1, None) is None
    assert rule.observe(2, second(plain__5xx=1)) is None
    assert rule.observe(3, second(plain__5xx=1)) is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [("failed > 1%", 0.25), ("unsettled > 1%", 0.5), ("ok < 1%", 0.25), ("dropped > 1%", 0.2), ("rate > 1", 16.0)],
)
def test_each_measure_is_over_its_own_base(text: str, value: float) -> None:
    seen = second(plain__ok=1, plain__5xx=1, rest__500__internal=2)
    assert measure(parse_condition(text, duration_allowed=True), seen) == pytest.approx(value)


def test_latency_is_a_quantile_of_the_second() -> None:
    value = measure(parse_condition("latency p99 > 1s", duration_allowed=True), second(plain__ok=10))
    assert value == pytest.approx(0.2, rel=0.01)


def test_nothing_known_measures_nothing() -> None:
    assert measure(parse_condition("failed > 1%", duration_allowed=True), Second()) is None
