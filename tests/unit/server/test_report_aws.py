"""What AWS said, on the page and in the terminal: values with source, time and code, cold starts, and what is open."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from burstline.client.reports.text import render_report
from burstline.core.load.plan import Constant, Phase
from burstline.core.quota.aws.backlog import BacklogPoint
from burstline.core.quota.aws.cloudwatch import LAMBDA, Metric, MetricSeries, Watch
from burstline.core.quota.aws.cold_starts import ColdStarts
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.aws.readings import AccountReading, Reading
from burstline.server.judging.judging import RunRecord, judge
from burstline.server.pages.report import report_html
from rich.console import Console

MakeRun = Callable[..., RunRecord]
AT_S = 1_795_435_200.0  # 2026-11-23T12:00:00Z
EVIDENCE = AwsEvidence(
    reading=AccountReading(
        "eu-west-1", "9012",
        (
            Reading("Concurrent executions", "lambda.concurrency", "lambda:L-B99A9384", 1000.0, "environments",
                    "lambda GetAccountSettings", AT_S),
            Reading("Throttle rate", "apigateway.rate", "apigateway:L-8A5B8E43", 10_000.0, "requests/s",
                    "service-quotas GetAWSDefaultServiceQuota", AT_S, default=True),
            Reading("f: reserved concurrency", source="lambda GetFunctionConcurrency", read_at_s=AT_S,
                    missing_action="lambda:GetFunctionConcurrency",
                    problem="not allowed: the policy lacks lambda:GetFunctionConcurrency"),
        ),
    ),
    watch=Watch(-30.0, 30.0, True, (
        MetricSeries(Metric(LAMBDA, "Throttles", "Sum", (("FunctionName", "f"),)), ((-30.0, 3.0), (30.0, 4.0))),
        MetricSeries(Metric(LAMBDA, "ClaimedAccountConcurrency", "Maximum"), ((-30.0, 40.0), (30.0, 20.0))),
    ), waited_s=95.0),
    cold_starts={"f": ColdStarts("f", "Text", 2000, 30, 0.25, None, 0.61, 0.1, 0.14, 0.35, None, 221.5, 7.5)},
    backlogs={"orders": (BacklogPoint(AT_S, 0, 0, 2), BacklogPoint(AT_S + 10, 75, 10, 6))},
)  # fmt: skip


@pytest.fixture
def report(make_run: MakeRun) -> dict[str, Any]:
    load = (Phase("steady", 2.0, Constant(50.0)),)
    return judge(make_run(load, changes={"aws": EVIDENCE, "account_last4": "9012", "region": "eu-west-1"}))


SAID = (
    "lambda:L-B99A9384", "lambda GetAccountSettings", "12:00:00", "service-quotas GetAWSDefaultServiceQuota",
    "AWS's default", "the policy lacks lambda:GetFunctionConcurrency",
    "30 of 2,000", "1.50%", "250 ms", "610 ms", "350 ms", "7.50 s", "orders", "75",
)  # fmt: skip


def test_the_page_shows_every_value_with_source_time_and_code(report: dict[str, Any]) -> None:
    html = report_html(report).replace("&#39;", "'")
    missing = [
        text for text in (*SAID, "CloudWatch's minutes were complete, 95 s", "account …9012") if text not in html
    ]
    assert missing == []
    assert '<a href="#aws">' in html
    row = html[html.index("AWS/Lambda Throttles") :]
    assert ">7<" in row[: row.index("</tr>")]


def test_the_terminal_shows_the_same_in_80_columns(report: dict[str, Any]) -> None:
    out = io.StringIO()
    render_report(report, Console(file=out, width=80, force_terminal=False))
    text = out.getvalue()
    words = " ".join(text.split())
    assert [said for said in SAID if said not in words] == []
    section = text[text.index("What AWS says") : text.index("Did we send")]
    assert max(len(line) for line in section.splitlines()) <= 80


def test_a_run_that_asked_no_aws_has_no_such_section(make_run: MakeRun) -> None:
    found = judge(make_run((Phase("steady", 2.0, Constant(50.0)),)))
    assert found["aws"] is None
    assert "What AWS says" not in report_html(found)


def test_what_was_not_read_is_said(make_run: MakeRun) -> None:
    evidence = AwsEvidence(notes=("AWS was not read: no AWS credentials were found.",))
    html = report_html(judge(make_run((Phase("s", 2.0, Constant(50.0)),), changes={"aws": evidence})))
    assert "No quota was read" in html
    assert "CloudWatch was not read" in html
    assert "Cold starts are not known" in html
