"""Comparing two reports: the numbers, how sure they are, and conditions on them."""

import copy
import functools
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from burstline.client.cli import cli
from burstline.client.comparing.bootstrap import latency_changes, share_change
from burstline.client.comparing.comparison import Comparison, compare
from burstline.client.comparing.expressions import parse_expression
from burstline.client.comparing.measures import latencies, measures_of
from burstline.client.comparing.showing import markdown, print_comparison
from burstline.core.load.histogram import Histogram, bounds_of
from click.testing import CliRunner
from rich.console import Console

OUTCOMES = ("ok", "throttled", "rejected", "failed", "timed_out", "unreachable")


def histogram(median_s: float, count: int, seed: int = 1) -> Histogram:
    found = Histogram()
    found.add_all(median_s * np.exp(np.random.default_rng(seed).normal(0, 0.3, count)))
    return found


def report(median_s: float = 0.05, *, count: int = 10_000, throttled: int = 0, use: float = 50.0) -> dict[str, Any]:
    """Return what comparing reads of a report: `count` answers in 100 s, some throttled, one quota of 100."""
    times = histogram(median_s, count - throttled)
    buckets = sorted(times.counts.items())
    due = {
        "outcome": "ok", "basis": "due", "count": times.count, "max_s": times.max_s,
        "below_s": [float(f"{bounds_of(index)[1]:.7g}") for index, _ in buckets],
        "counts": [many for _, many in buckets],
    }  # fmt: skip
    quick = {"outcome": "throttled", "basis": "due", "count": 1, "max_s": 0.001, "below_s": [0.001], "counts": [1]}
    return {
        "schema": "burstline.report/v1",
        "verdict": "quota_bound" if throttled else "passed",
        "run": {"id": "r1", "name": "peak", "target": "http://t", "started_at": "2026-11-23T10:00:00+00:00",
                "duration_s": 100.0},
        "ledger": {"sent": count, "due": count, "dropped": 0, "scheduled": count, "unsent": 0, "lost": 0,
                   "signatures": {"rest.ok": count - throttled},
                   "outcomes": dict.fromkeys(OUTCOMES, 0) | {"ok": count - throttled, "throttled": throttled}},
        "distributions": [due, {**due, "basis": "sent"}, quick],
        "lateness": {"p50_s": 0.0002, "p99_s": 0.002, "max_s": 0.004},
        "findings": [{"quota": "lambda:L-B99A9384", "headroom_ratio": 1 - use / 100, "limit": 100.0, "peak_use": use}],
        "bindings": [],
        "advice": [],
        "cost": {"estimated_usd": 0.05},
        "series": {"step_s": 1, "columns": {"sent": [100, 130, None], "due": [100, 130, 0]}},
        "plan": {"load": [1]},
    }  # fmt: skip


def test_a_reports_histogram_comes_back_as_it_was() -> None:
    assert latencies(report()).counts == histogram(0.05, 10_000).counts


def test_measures_are_the_reports_own_numbers() -> None:
    found = {name: one.value for name, one in measures_of(report(throttled=500)).items()}
    assert found["rate"] == 100
    assert found["accepted"] == 95
    assert found["peak"] == 130
    assert found["throttled"] == 0.05
    assert found["headroom"] == found["headroom lambda:L-B99A9384"] == 0.5
    assert found["latency p50"] == pytest.approx(0.05, rel=0.02)
    assert found["lateness p99"] == 0.002


def test_a_quantile_of_too_few_answers_is_not_known() -> None:
    found = measures_of(report(count=500))
    assert found["latency p95"].value is not None
    assert found["latency p99"].value is None


def test_the_interval_of_a_change_covers_the_truth_about_as_often_as_it_says() -> None:
    """Both medians are 50 ms and 52 ms; of 60 pairs of runs, about 57 intervals hold the 2 ms."""
    hits = 0
    for seed in range(60):
        (found,) = latency_changes(histogram(0.05, 2000, seed), histogram(0.052, 2000, 1000 + seed), [0.5])
        hits += found.low <= 0.002 <= found.high
    assert 51 <= hits <= 60


def test_more_answers_make_an_interval_narrower_by_the_square_root() -> None:
    (few,) = latency_changes(histogram(0.05, 1000), histogram(0.05, 1000, 2), [0.5])
    (many,) = latency_changes(histogram(0.05, 100_000), histogram(0.05, 100_000, 2), [0.5])
    assert 5 < (few.high - few.low) / (many.high - many.low) < 20


def test_a_share_that_was_never_seen_is_not_certain_to_be_zero() -> None:
    found = share_change((0, 1000), (0, 1000))
    assert found is not None
    assert found.low < 0 < found.high
    assert not found.sure


def test_the_interval_of_a_share_is_that_of_two_binomials() -> None:
    """100 and 200 of 10,000: a change of 1 point, with 1.96 x sqrt(0.01 x 0.99 / 10^4 + 0.02 x 0.98 / 10^4) = 0.337."""
    found = share_change((100, 10_000), (200, 10_000))
    assert found is not None
    assert found.low == pytest.approx(0.01 - 0.00337, abs=0.0004)
    assert found.high == pytest.approx(0.01 + 0.00337, abs=0.0004)


def test_the_same_reports_give_the_same_intervals() -> None:
    assert compare(report(), report(0.06)).document() == compare(report(), report(0.06)).document()


def test_a_change_is_worse_better_or_the_same_by_its_interval() -> None:
    assert compare(report(), report(0.06)).rows["latency p99"].judged == "worse"
    assert compare(report(0.06), report()).rows["latency p99"].judged == "better"
    assert compare(report(), report()).rows["latency p99"].judged == "same"
    assert compare(report(), report(throttled=500)).rows["throttled"].judged == "worse"
    assert compare(report(), report()).rows["rate"].judged == "unsure"


def test_what_makes_runs_hard_to_compare_is_said() -> None:
    other = report()
    other["plan"], other["verdict"], other["run"]["target"] = {"load": [2]}, "generator_limited", "http://u"
    assert compare(report(), other).notes == (
        "the second run is generator_limited: what it measured is not only the target",
        "the plans' loads differ: rates, shares and headroom differ with them",
        "the targets differ: http://t and http://u",
    )


@functools.cache
def changed() -> Comparison:
    return compare(report(), report(0.06, throttled=200, use=90.0))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("latency p99 > +10%", True),
        ("latency p99 > +30%", False),
        ("latency p99 > +10% surely", True),
        ("latency p99 > +19.5% surely", False),
        ("latency p50 > +5ms", True),
        ("latency p50>+15ms", False),
        ("latency p50 > 55ms", True),
        ("latency p50 <= 55ms", False),
        ("throttled > 1%", True),
        ("throttled > +3%", False),
        ("throttled > +1% surely", True),
        ("rate < -1%", False),
        ("accepted < -1%", True),
        ("accepted < 98.5", True),
        ("headroom < 20%", True),
        ("headroom lambda:L-B99A9384 < 5%", False),
        ("headroom lambda:L-B99A9384 < -30%", True),
        ("headroom nobody:knows < 5%", True),
        ("latency p95 > +25%", False),
        ("latency p999 > +5%", True),
        ("dropped > 0%", False),
        ("cost > +50%", False),
    ],
)
def test_a_condition_holds_or_not(text: str, holds: bool) -> None:
    """From 50 ms, nothing throttled and half the quota, to 60 ms, 2 % throttled and 90 % of the quota."""
    found, why = parse_expression(text).holds(changed())
    assert found is holds, why


def test_what_is_not_known_counts_as_holding_for_a_gate_must_not_open() -> None:
    few = compare(report(count=100), report(count=100))
    assert parse_expression("latency p999 > 1s").holds(few) == (
        True, "latency p999 > 1s: latency p999 is not known: too few answers"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p99 > 10%", 'found "p99"; allowed: latency, lateness, rate,'),
        ("latency > 10ms", 'found "latency"; allowed after latency: p50,'),
        ("latency p98 > 10ms", "allowed after latency: p50, p90, p95, p99, p999, max"),
        ("latency p99 > 10", "allowed is a time such as 300ms, or a change such as +10%"),
        ("latency p99 > 10%", "allowed is a time such as 300ms, or a change such as +10%"),
        ("throttled > 1", "allowed is a share such as 0.1%"),
        ("rate > 10%", "allowed is a bare number, or a change such as -5%"),
        ("latency p99 > 300ms surely", "`surely` belongs to changes"),
        ("rate p99 > 5", "allowed: rate alone"),
        ("latency p99 = 5ms", "write it as `latency p99 > +10%`"),
        ("", "write it as"),
    ],
)
def test_a_wrong_condition_says_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"found") as caught:
        parse_expression(text)
    assert message in str(caught.value)


def shown(comparison: Comparison, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_comparison(comparison, [(True, "throttled > 0.1%: found 2.00%")], console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return text


def test_the_table_fits_80_columns() -> None:
    text = shown(compare(report(), report(0.06, throttled=200)), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "worse" in text
    assert "lambda:L-B99A9384" in text
    assert "FAILS  throttled > 0.1%: found 2.00%" in text


def test_markdown_has_a_table_and_escapes_what_would_break_it() -> None:
    other = report(0.06)
    other["run"]["name"] = "a|b"
    text = markdown(compare(report(), other), [(False, "throttled > 1%: found 0.00%")])
    assert text.startswith("**burstline: 0 of 1 conditions fail**: a|b\n")
    assert "a\\|b" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {7}
    assert any(row.startswith("| latency p99 |") and row.endswith("**worse** |") for row in rows)


def saved(folder: Path, name: str, content: dict[str, Any]) -> str:
    file = folder / name
    file.write_text(json.dumps(content))
    return str(file)


def test_the_command_ends_with_99_when_a_condition_holds_and_writes_its_files(tmp_path: Path) -> None:
    first, second = saved(tmp_path, "a.json", report()), saved(tmp_path, "b.json", report(0.06))
    written = [str(tmp_path / "c.json"), str(tmp_path / "c.md")]
    options = ["--fail-if", "latency p99 > +10%", "--json", written[0], "--markdown", written[1]]
    ended = CliRunner().invoke(cli, ["compare", first, second, *options])
    assert ended.exit_code == 99, ended.output
    document = json.loads(Path(written[0]).read_text())
    assert document["schema"] == "burstline.comparison/v1"
    assert document["conditions"][0]["holds"] is True
    assert Path(written[1]).read_text().startswith("**burstline: 1 of 1 conditions fail**")
    assert CliRunner().invoke(cli, ["compare", first, second, "--fail-if", "throttled > 1%"]).exit_code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON; allowed: a report as `burstline run PLAN --json FILE` writes"),
        ('{"schema": "k6"}', 'has the schema "k6"; allowed: burstline.report/v1'),
        ("[]", 'has the schema "None"; allowed: burstline.report/v1'),
    ],
)
def test_a_file_that_is_no_report_is_a_sentence(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content)
    ended = CliRunner().invoke(cli, ["compare", str(tmp_path / "a.json"), str(tmp_path / "a.json")])
    assert ended.exit_code == 2
    assert message in ended.output


def test_comparing_changes_neither_report() -> None:
    first, second = report(), report(0.06)
    kept = copy.deepcopy((first, second))
    compare(first, second)
    assert (first, second) == kept
