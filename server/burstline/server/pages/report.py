"""report.html: a report of schema `burstline.report/v1` as one file, from the JSON document alone."""

import functools
import json
from typing import Any

from bokeh.document import Document
from bokeh.resources import Resources
from markupsafe import Markup

from burstline.server.pages.aws import aws_sheet
from burstline.server.pages.charts import time_charts
from burstline.server.pages.distribution import distribution_chart
from burstline.server.pages.folding import Report
from burstline.server.pages.formats import observed_text, span_text
from burstline.server.pages.frame import Chart
from burstline.server.pages.masking import masked
from burstline.server.pages.rendering import render, text_of
from burstline.server.pages.sections import (
    advice_of,
    bindings_of,
    figures_of,
    no_advice,
    quotas_of,
    started_text,
    verdict_of,
)
from burstline.server.pages.sheets import (
    connection_table,
    cost_table,
    fit_table,
    generator_words,
    latency_table,
    ledger_sheet,
    phase_table,
    preflight_table,
    signature_table,
    worker_table,
)
from burstline.server.pages.wording import HOW

DOCUMENT = "charts"
"""Under which id the charts' document is embedded."""

CONTENTS = (
    ("over-time", "What happened"),
    ("latencies", "Latency"),
    ("concurrency-section", "Concurrency"),
    ("quotas", "Quotas"),
    ("advice", "What to do"),
    ("ledger", "Ledger"),
    ("thresholds", "Thresholds"),
    ("workers", "Workers"),
    ("plan", "Plan"),
    ("how", "How it was derived"),
)

AWS = ("aws", "What AWS says")
"""The section before the advice, where AWS was asked."""


def report_html(report: Report, *, back: str = "") -> str:
    """Return a report as an HTML page that needs no network, in about 1.4 MB, nearly all of it the charts' script.

    Args:
        report: the document; one of an earlier version lacks some parts of the page.
        back: path of the run's page on the server that shows this one; "" for a file.
    """
    report = masked_report(report)
    charts = time_charts(report)
    distribution = distribution_chart(report)
    if distribution is not None:
        charts.append(distribution)
    bindings, evidence = bindings_of(report)
    aws = aws_sheet(report)
    return render(
        "report.html",
        scripts=[_library(), text_of("report.js")] if charts else [text_of("report.js")],
        back=back,
        schema=report["schema"],
        run=report["run"],
        started=started_text(report),
        duration=span_text(report["run"]["duration_s"]),
        verdict=verdict_of(report),
        summary=report["summary"],
        notes=report["notes"],
        figures=figures_of(report),
        contents=[*CONTENTS[:4], *([AWS] if aws else []), *CONTENTS[4:]],
        aws=aws,
        charts={place: [chart for chart in charts if chart.key in keys] for place, keys in PLACES.items()},
        data=_chart_data(charts),
        bindings=bindings,
        evidence=evidence,
        findings=quotas_of(report),
        advice=advice_of(report),
        no_advice=no_advice(report),
        thresholds=_thresholds(report),
        how=HOW,
        plan=json.dumps(report["plan"], indent=2, ensure_ascii=False),
        **_tables(report),
    )


PLACES = {
    "rates": ("rates",),
    "latency": ("latency", "throttles", "distribution"),
    "concurrency": ("concurrency",),
    "lateness": ("lateness",),
}
"""Section -> keys of its charts."""


def masked_report(report: Report) -> Report:
    """Return a report without anything that could be a secret."""
    return report | {"plan": masked(report["plan"]), "run": report["run"] | {"target": masked(report["run"]["target"])}}


def _tables(report: Report) -> dict[str, Any]:
    return {
        "latency": latency_table(report),
        "ledger": ledger_sheet(report),
        "signatures": signature_table(report),
        "generator": generator_words(report),
        "workers": worker_table(report),
        "connections": connection_table(report),
        "preflight": preflight_table(report),
        "phases": phase_table(report),
        "cost": cost_table(report),
        "fits": fit_table(report),
    }


def _thresholds(report: Report) -> list[dict[str, Any]]:
    return [one | {"observed": observed_text(one["expression"], one["observed"])} for one in report["thresholds"]]


@functools.cache
def _library() -> str:
    """The charts' script, as its package brings it."""
    script = Resources(mode="inline", components=["bokeh"], minified=True).js_raw[0]
    # an end tag inside the script would end it
    return script.replace("</script", "<\\/script")


def _chart_data(charts: list[Chart]) -> Markup:
    """The charts' documents as JSON that cannot end its script element."""
    if not charts:
        return Markup("{}")
    document = Document()
    for chart in charts:
        document.add_root(chart.model)
    elements = {chart.model.id: chart.key for chart in charts}
    item = {"docid": DOCUMENT, "roots": elements, "root_ids": list(elements)}
    text = json.dumps({"docs": {DOCUMENT: document.to_json(deferred=False)}, "items": [item]}, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # escaped on the line above
