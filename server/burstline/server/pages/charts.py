"""The charts over run time: rates, concurrency, lateness. Each with its legend, its words and its table."""

from typing import Any

from bokeh.models import Range1d

from burstline.server.pages import palette
from burstline.server.pages.folding import Column, Report, Series, accepted_column, failed_column, series_of
from burstline.server.pages.formats import count_text, latency_text, number_text, span_text
from burstline.server.pages.frame import (
    Chart,
    Key,
    limit_line,
    read_out,
    run_range,
    shading_keys,
    time_figure,
    time_unit,
)
from burstline.server.pages.latencies import latency_chart, throttles_chart
from burstline.server.pages.lines import draw_area, draw_line, source_of, step_words
from burstline.server.pages.tables import thinned

OFF_SCALE = 2.5
"""A quota that is more than so many times the peak is told in words: drawn, it would press the curve to the floor."""

ALL = 1_000_000_000


def time_charts(report: Report) -> list[Chart]:
    """Return the charts over run time of a report; none if it has no series."""
    series = series_of(report)
    if not series.length:
        return []
    x_range = run_range(report)
    makers = (_rates, latency_chart, throttles_chart, _concurrency, _lateness)
    return [chart for maker in makers if (chart := maker(report, series, x_range)) is not None]


def _rates(report: Report, series: Series, x_range: Range1d) -> Chart:
    other = failed_column(series)
    columns = {
        "due": series.column("due"),
        "sent": series.column("sent"),
        "accepted": accepted_column(series),
        "throttled": series.column("throttled"),
        "other": other,
    }
    has_other = any(other)
    source = source_of(report, series, columns)
    plot = time_figure("rates", "requests a second", report, x_range)
    draw_area(plot, source, "due", palette.DUE, 0.22)
    draw_area(plot, source, "throttled", palette.THROTTLED, 0.3)
    sent = draw_line(plot, source, "sent", palette.SENT, 2.5)
    # dashed, so that sent shows through where all was accepted
    draw_line(plot, source, "accepted", palette.ACCEPTED, 2.5, [7, 5])
    draw_line(plot, source, "throttled", palette.THROTTLED, 2.5)
    shown = ["due", "sent", "accepted", "throttled"]
    if has_other:
        draw_line(plot, source, "other", palette.OTHER, 2, [2, 3])
        shown.append("other")
    unit = time_unit(report["run"]["duration_s"])
    read_out(plot, sent, [(unit.name, "@t{0.[0]}"), *((name, f"@{name}{{0,0.[0]}}") for name in shown)])
    keys = (
        Key("due", "due", kind="area"),
        Key("sent", "sent"),
        Key("accepted", "accepted", "7 5"),
        Key("throttled", "throttled"),
        *((Key("failed, rejected, timed out or unreachable", "other", "2 3"),) if has_other else ()),
    )
    rows = [
        [f"{start_s:g}", *(number_text(columns[name][at]) for name in shown)]
        for at, start_s in enumerate(series.starts_s)
    ]
    return Chart(
        "rates",
        "Requests due, sent, accepted and throttled",
        plot,
        (*keys, *shading_keys(report)),
        _rates_words(report),
        f"By the second in which a request was sent.{step_words(series, 'mean')} "
        "Accepted is what every quota let in. Where sent is below due, we were the limit.",
        thinned("Requests a second over the run", ["from, s", *shown], rows),
    )


def _rates_words(report: Report) -> str:
    series = series_of(report, most=ALL)  # a mean of several seconds would hide the peak
    words = [f"Line chart of requests a second over {span_text(report['run']['duration_s'])}."]
    columns = series.columns | {"accepted": accepted_column(series)}
    series = Series(series.step_s, columns)
    for name in ("due", "sent", "accepted", "throttled"):
        peak = series.peak(name)
        if peak is not None and peak[0]:
            words.append(f"{name.capitalize()} peaks at {number_text(peak[0])}/s at {number_text(peak[1])} s.")
    if not any(series.column("throttled")):
        words.append("Nothing was throttled.")
    return " ".join(words)


def _concurrency(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    peak = series.peak("concurrency")
    if peak is None:
        return None
    source = source_of(report, series, {"concurrency": series.column("concurrency")})
    plot = time_figure("concurrency", "requests in flight", report, x_range)
    draw_area(plot, source, "concurrency", palette.SENT, 0.14)
    line = draw_line(plot, source, "concurrency", palette.SENT)
    limits = concurrency_limits(report)
    near = [one for one in limits if one["limit"] <= OFF_SCALE * max(peak[0], 1)]
    for one in near:
        limit_line(plot, one["limit"], f"{one['name']}: {count_text(one['limit'])}")
    plot.y_range = Range1d(start=0, end=max([peak[0], *(one["limit"] for one in near)], default=1) * 1.15 or 1)
    unit = time_unit(report["run"]["duration_s"])
    read_out(plot, line, [(unit.name, "@t{0.[0]}"), ("in flight", "@concurrency{0,0}")])
    told = "; ".join(f"{one['name']}: {count_text(one['limit'])} ({one['limit_source']})" for one in limits)
    far = [one for one in limits if one not in near]
    words = (
        f"Chart of the requests in flight behind the front, estimated; the peak is {count_text(peak[0])} at "
        f"{number_text(peak[1])} s. " + (f"Quotas: {told}." if told else "No concurrency quota applies.")
    )
    above = ", ".join(f"{one['name']} ({count_text(one['limit'])})" for one in far)
    return Chart(
        "concurrency",
        "Concurrency against its quotas",
        plot,
        (
            Key("in flight, the highest of each second", "sent"),
            *((Key("quota", "limit", "2 3"),) if near else ()),
            *shading_keys(report),
        ),
        words,
        "Estimated from the client's side: accepted requests sent, less those whose answer had time to come back."
        + (f" Far above this scale, and so not drawn: {above}." if above else ""),
        thinned(
            "Requests in flight over the run",
            ["from, s", "in flight"],
            [
                [f"{start_s:g}", count_text(value)]
                for start_s, value in zip(series.starts_s, series.column("concurrency"), strict=True)
            ],
        ),
    )


def concurrency_limits(report: Report) -> list[dict[str, Any]]:
    """Return the findings about concurrency quotas whose limit is known."""
    quotas = ("lambda:L-B99A9384", "lambda:reserved:")
    return [
        one
        for one in report["findings"]
        if one["quota"].startswith(quotas) and not one["quota"].endswith(":rate") and one["limit"]
    ]


def _lateness(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    peak = series.peak("lateness_p99_s")
    if peak is None:
        return None
    columns: dict[str, Column] = {
        "lateness": [None if value is None else value * 1000 for value in series.column("lateness_p99_s")],
    }
    source = source_of(report, series, columns)
    plot = time_figure("lateness", "milliseconds", report, x_range)
    plot.y_range = Range1d(start=0, end=max(12.0, peak[0] * 1150))
    line = draw_line(plot, source, "lateness", palette.SENT)
    limit_line(plot, 10.0, "above 10 ms we are the limit")
    unit = time_unit(report["run"]["duration_s"])
    read_out(plot, line, [(unit.name, "@t{0.[0]}"), ("late (p99)", "@lateness{0.00} ms")])
    return Chart(
        "lateness",
        "How late we sent",
        plot,
        (Key("lateness, 99th percentile", "sent"), Key("our bound", "limit", "2 3"), *shading_keys(report)),
        f"Line chart of how late requests left. The 99th percentile peaks at {latency_text(peak[0])} at "
        f"{number_text(peak[1])} s; above 10 ms a second counts as limited by us.",
        "How long after it was due a request left us. Seconds above the bound are shown as ours and tell no quota.",
        thinned(
            "Lateness over the run",
            ["from, s", "p99"],
            [
                [f"{start_s:g}", latency_text(value)]
                for start_s, value in zip(series.starts_s, series.column("lateness_p99_s"), strict=True)
            ],
        ),
    )
