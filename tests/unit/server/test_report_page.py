"""report.html from the JSON report: what it says, in which order, and what it must never hold."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Condition, Constant, Goal, Pause, Phase, Ramp, Request
from burstline.core.load.totals import Totals
from burstline.core.quota.quotas import Account, Bucket, ServiceTime
from burstline.server.judging.judging import PreflightAnswer, RunRecord, WorkerInfo, judge
from burstline.server.pages.report import CONTENTS, report_html

MakeRun = Callable[..., RunRecord]
Report = dict[str, Any]
CHARTS = ["rates", "latency", "throttles", "distribution", "concurrency", "lateness"]
STEADY = (Phase("steady", 5.0, Constant(300.0)),)
STAGE = Account(stages={"prod": Bucket(100, 100)}, declared=frozenset({"apigateway.stages.prod"}))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data

    def attributes(self, tag: str, name: str) -> list[str]:
        return [attributes[name] or "" for found, attributes in self.tags if found == tag and name in attributes]


def report_of(record: RunRecord) -> Report:
    found: Report = json.loads(json.dumps(judge(record), allow_nan=False))
    return found


@pytest.fixture
def bound(make_run: MakeRun) -> Report:
    """A run that a stage throttles, with everything that a report can have."""
    load = (*STEADY, Phase("rest", 1.0, Pause()), Phase("ramp", 4.0, Ramp(50, 200)))
    changes = {
        "workers": (WorkerInfo("workers/w1", "host", 7, "0.1.0", (0,), True, 0.001, 900, 0.002, 0.004, 0.0),),
        "preflight": (PreflightAnswer("quote", "10.0.0.1", 200, "rest.ok", "rest", "", 0.1),),
        "account_last4": "1234",
    }
    threshold = Condition("throttled < 0.1%", "throttled", None, "<", 0.001)
    return report_of(make_run(load, STAGE, changes=changes, goal=Goal(300.0), thresholds=(threshold,)))


def test_the_verdict_comes_first_and_every_section_follows_in_order(bound: Report) -> None:
    html = report_html(bound)
    page = Page(html)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later <= before + 1 for before, later in zip(page.headings, page.headings[1:], strict=False))
    assert ("html", {"lang": "en"}) in page.tags
    places = [html.index(f'<h2 id="{anchor}"') for anchor, _ in CONTENTS]
    assert places == sorted(places)
    assert html.index(bound["summary"].split("(")[0]) < places[0]
    assert page.attributes("a", "href")[0] == "#main"


def test_every_number_that_matters_is_on_the_page(bound: Report) -> None:
    text = Page(report_html(bound)).text
    (advice,) = bound["advice"]
    assert advice["command"] in text
    assert advice["derivation"] in text
    assert all(one in text for one in advice["alternatives"])
    assert "…1234" in text
    assert "host, pid 7 (lost)" in text
    assert f"{bound['ledger']['outcomes']['throttled']:,}" in text
    for finding in bound["findings"]:
        assert finding["quota"] in text
    assert "50/s to 200/s" in text


def test_the_file_names_no_other_place(bound: Report) -> None:
    page = Page(report_html(bound))
    links = [link for tag in ("a", "link", "img", "script", "form") for name in ("href", "src", "action")
             for link in page.attributes(tag, name)]  # fmt: skip
    assert all(link.startswith(("#", "data:")) for link in links)
    (rule,) = [content for content in page.attributes("meta", "content") if "default-src" in content]
    assert "connect-src 'none'" in rule
    for script, kind in zip(page.scripts, [tag for tag in page.tags if tag[0] == "script"], strict=True):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert kind[1].get("type") == "application/json" or f"'sha256-{digest}'" in rule


def test_each_chart_has_words_a_table_and_a_picture_for_print(bound: Report) -> None:
    page = Page(report_html(bound))
    charts = [attributes for tag, attributes in page.tags if attributes.get("class") == "plot"]
    assert [chart["id"] for chart in charts] == CHARTS
    assert all(len(chart["aria-label"] or "") > 40 and chart["role"] == "img" for chart in charts)
    assert page.attributes("img", "id") == [f"{chart['id']}-print" for chart in charts]
    assert all(page.attributes("img", "alt"))
    captions = page.text
    for caption in ("Requests a second over the run", "Latency percentiles of ok requests over the run",
                    "Latency percentiles of throttled requests over the run", "Latency by percentile",
                    "Requests in flight over the run", "Lateness over the run"):  # fmt: skip
        assert caption in captions


def test_a_chart_holds_the_numbers_of_the_report(bound: Report) -> None:
    (data,) = [script for script in Page(report_html(bound)).scripts if script.startswith('{"docs"')]
    models = json.dumps(json.loads(data)["docs"]["charts"])
    for value in {*bound["series"]["columns"]["throttled"], *bound["series"]["columns"]["sent"]}:
        assert str(value) in models


def test_names_are_text_and_never_markup(make_run: MakeRun) -> None:
    evil = "</script><script>alert(1)</script>"
    record = make_run((Phase(evil, 2.0, Constant(200.0)), *STEADY), STAGE)
    record = replace(record, name=evil, plan=replace(record.plan, requests=(Request(evil),)))
    html = report_html(report_of(record))
    assert "<script>alert" not in html
    assert len(Page(html).scripts) == 3


def test_a_secret_in_a_header_is_not_shown(make_run: MakeRun) -> None:
    request = Request("quote", headers=(("Authorization", "Bearer top-secret-1"), ("accept", "text/plain")))
    record = make_run(STEADY)
    html = report_html(report_of(replace(record, plan=replace(record.plan, requests=(request,)))))
    assert "top-secret-1" not in html
    assert "text/plain" in html


def test_a_run_that_never_started_has_a_page_without_charts(make_run: MakeRun) -> None:
    record = make_run(STEADY, STAGE)
    empty = Ledger(scheduled=1500, not_due=1500)
    record = replace(
        record, totals=Totals(), ledger=empty, ledgers_by_phase=[empty], started_at=None, duration_s=0.0, problem="why"
    )
    html = report_html(report_of(record))
    assert "Nothing could be measured: why" in html
    assert "nothing to draw" in html
    assert len(html) < 100_000


@pytest.mark.parametrize(
    "account", [Account(concurrency=50, declared=frozenset({"lambda.concurrency"})), Account()], ids=["near", "far"]
)
def test_a_concurrency_quota_is_drawn_where_it_fits_and_told_where_not(make_run: MakeRun, account: Account) -> None:
    report = report_of(make_run((Phase("ramp", 5.0, Ramp(50, 600)),), account, service=ServiceTime(0.2, 0.4)))
    html = report_html(report)
    limit = f"{next(one['limit'] for one in report['findings'] if one['quota'] == 'lambda:L-B99A9384'):,.0f}"
    assert ("not drawn" in html) is (account.concurrency != 50)
    assert limit in html


def test_a_report_of_an_earlier_version_still_has_a_page(bound: Report) -> None:
    old = {name: value for name, value in bound.items() if name != "distributions"}
    old["workers"] = [{**old["workers"][0]}]
    for name in ("sent", "lateness_p99_s", "lateness_max_s", "start_late_s"):
        del old["workers"][0][name]
    del old["series"]["columns"]["latency_ok_due_p95_s"]
    assert "host, pid 7" in report_html(old)


def test_advice_that_is_withheld_says_why(make_run: MakeRun) -> None:
    html = report_html(report_of(make_run(STEADY, STAGE, late_s=0.012)))
    assert "Advice is withheld: this run measured our own limit" in html
    assert "we could not keep up" in html
    assert "Spans in which we were the limit" in html


def test_a_clean_run_says_that_nothing_needs_to_be_raised(make_run: MakeRun) -> None:
    html = report_html(report_of(make_run()))
    assert "Nothing needs to be raised" in html
    assert "No quota throttled this run." in html


def test_many_short_spans_are_summed_up_and_a_long_run_keeps_its_peaks(bound: Report) -> None:
    """An hour and a half: the chart folds 8 s into one step, the words still name the highest second."""
    span = bound["bindings"][0]
    bound["bindings"] = [{**span, "from_s": float(at), "to_s": at + 1.0, "throttled_count": at} for at in range(40)]
    columns = bound["series"]["columns"]
    for name in columns:
        columns[name] = (columns[name] * 600)[:5400]
    columns["sent"][77] = 4321
    bound["run"]["duration_s"] = 5400.0
    page = Page(report_html(bound))
    assert "the 24 that throttled most, of 40" in page.text
    assert "Each step is the mean of 8 s" in page.text
    (rates,) = [attributes["aria-label"] or "" for _, attributes in page.tags if attributes.get("id") == "rates"]
    assert "Sent peaks at 4,321/s at 77 s." in rates
    assert "1 row in 6" in page.text
