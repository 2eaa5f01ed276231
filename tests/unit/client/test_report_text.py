"""The report in the terminal: the verdict first, in 80 columns."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from burstline.client.reports.text import render_report
from burstline.core.load.plan import Condition, Constant, Phase
from burstline.core.quota.quotas import Account, Bucket
from burstline.server.judging.judging import RunRecord, judge
from rich.console import Console

STEADY = (Phase("steady", 5.0, Constant(300.0)),)
STAGE = Account(stages={"prod": Bucket(100, 100)}, declared=frozenset({"apigateway.stages.prod"}))


def rendered(record: RunRecord, width: int = 80) -> str:
    out = io.StringIO()
    render_report(judge(record), Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


def test_the_verdict_comes_first_and_the_command_is_whole(make_run: Callable[..., RunRecord]) -> None:
    threshold = Condition("throttled < 1%", "throttled", None, "<", 0.01)
    text = rendered(make_run(STEADY, STAGE, thresholds=(threshold,)))
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[0].startswith("QUOTA BOUND  Your stage throttle (100 requests/s, burst 100) binds from 0.5 s;")
    assert "Also: threshold failed." in text
    headings = ("What throttled", "What to do", "The ledger", "Latency from due", "Thresholds", "Quotas: use")
    positions = [text.index(heading) for heading in headings]
    assert positions == sorted(positions)
    commands = [line for line in lines if line.strip().startswith("$ aws")]
    assert any(line.rstrip().endswith("burstLimit,value=100'") for line in commands)
    assert "FAILED  throttled < 1%  (observed 60." in text


def test_nothing_but_commands_is_wider_than_the_terminal(make_run: Callable[..., RunRecord]) -> None:
    text = rendered(make_run(STEADY, STAGE))
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines() if not line.strip().startswith("$ "))


def test_a_clean_run_says_that_it_passed_and_that_we_kept_up(make_run: Callable[..., RunRecord]) -> None:
    text = rendered(make_run())
    assert "PASSED" in text.splitlines()[1]
    assert "no second was limited by us" in text
    assert "What to do" not in text


def test_a_limited_generator_is_shown_with_its_seconds(make_run: Callable[..., RunRecord]) -> None:
    text = rendered(make_run(STEADY, STAGE, late_s=0.02))
    assert text.splitlines()[1].startswith("GENERATOR LIMITED")
    assert "Not always" in text
    assert "sent late" in text


@pytest.mark.parametrize("name", ["[bold]", "a [/red] name"])
def test_brackets_in_names_are_no_markup(make_run: Callable[..., RunRecord], name: str) -> None:
    record = make_run(STEADY)
    plan = replace(record.plan, requests=(replace(record.plan.requests[0], name=name),))
    assert rendered(replace(record, plan=plan, notes=(f"note {name}",))).count(name) == 2
