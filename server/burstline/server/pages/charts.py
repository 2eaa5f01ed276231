"""The charts over run time: rates, latency, concurrency. Each with its legend, its words and its table."""

from typing import Any

from bokeh.models import ColumnDataSource, Line, Range1d, VArea
from bokeh.models.renderers.glyph_renderer import GlyphRenderer
from bokeh.plotting import figure

from burstline.server.pages import palette
from burstline.server.pages.folding import Column, Report, Series, failed_column, series_of
from burstline.server.pages.formats import count_text, latency_text, number_text, span_text
from burstline.server.pages.frame import (
    Chart,
    Key,
    limit_line,
    painted,
    read_out,
    run_range,
    shading_keys,
    time_figure,
    time_unit,
)
from burstline.server.pages.palette import Pair
from burstline.server.pages.tables import thinned

OFF_SCALE = 2.5
"""A quota that is more than so many times the peak is told in words: drawn, it would press the curve to the floor."""

ALL = 1_000_000_000
UNKNOWN = float("nan")


def time_charts(report: Report) -> list[Chart]:
    """Return the charts over run time of a report; none if it has no series."""
    series = series_of(report)
    if not series.length:
        return []
    x_range = run_range(report)
    makers = (_rates, _latency, _concurrency, _lateness)
    return [chart for maker in makers if (chart := maker(report, series, x_range)) is not None]


def _source(report: Report, series: Series, columns: dict[str, Column]) -> ColumnDataSource:
    """Columns over run time as the corners of steps: each value stands from its second's start to its end."""
    unit = time_unit(report["run"]["duration_s"])
    times = [at_s / unit.seconds for start_s in series.starts_s for at_s in (start_s, start_s + series.step_s)]
    data = {
        name: [UNKNOWN if value is None else value for value in column for _ in range(2)]
        for name, column in columns.items()
    }
    return ColumnDataSource({"t": times, **data})


def _line(
    plot: figure, source: ColumnDataSource, name: str, colour: Pair, width: float = 2, dash: str | list[int] = "solid"
) -> "GlyphRenderer[Line]":
    glyph = Line(x="t", y=name, line_width=width, line_dash=dash, line_join="miter")
    painted(glyph, line_color=colour)
    found: GlyphRenderer[Line] = plot.add_glyph(source, glyph, name=f"{plot.name}-{name}")
    return found


def _area(plot: figure, source: ColumnDataSource, name: str, colour: Pair, alpha: float) -> None:
    glyph = VArea(x="t", y1=name, y2=0, fill_alpha=alpha)
    painted(glyph, fill_color=colour)
    plot.add_glyph(source, glyph, name=f"{plot.name}-{name}-area")


def _covers(series: Series, what: str) -> str:
    return f" Each step is the {what} of {span_text(series.step_s)}." if series.step_s != 1 else ""


def _rates(report: Report, series: Series, x_range: Range1d) -> Chart:
    other = failed_column(series)
    columns = {
        "due": series.column("due"),
        "sent": series.column("sent"),
        "accepted": series.column("ok"),
        "throttled": series.column("throttled"),
        "other": other,
    }
    has_other = any(other)
    source = _source(report, series, columns)
    plot = time_figure("rates", "requests a second", report, x_range)
    _area(plot, source, "due", palette.DUE, 0.22)
    _area(plot, source, "throttled", palette.THROTTLED, 0.3)
    sent = _line(plot, source, "sent", palette.SENT, 2.5)
    # dashed, so that sent shows through where all was accepted
    _line(plot, source, "accepted", palette.ACCEPTED, 2.5, [7, 5])
    _line(plot, source, "throttled", palette.THROTTLED, 2.5)
    shown = ["due", "sent", "accepted", "throttled"]
    if has_other:
        _line(plot, source, "other", palette.OTHER, 2, [2, 3])
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
        f"By the second in which a request was sent.{_covers(series, 'mean')} "
        "Where sent is below due, we were the limit.",
        thinned("Requests a second over the run", ["from, s", *shown], rows),
    )


def _rates_words(report: Report) -> str:
    series = series_of(report, most=ALL)  # a mean of several seconds would hide the peak
    words = [f"Line chart of requests a second over {span_text(report['run']['duration_s'])}."]
    for name, label in (("due", "Due"), ("sent", "Sent"), ("ok", "Accepted"), ("throttled", "Throttled")):
        peak = series.peak(name)
        if peak is not None and peak[0]:
            words.append(f"{label} peaks at {number_text(peak[0])}/s at {number_text(peak[1])} s.")
    if not any(series.column("throttled")):
        words.append("Nothing was throttled.")
    return " ".join(words)


def _latency(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    names = [(f"p{q}", f"latency_p{q}_s") for q in (50, 95, 99) if any(series.column(f"latency_p{q}_s"))]
    if not names:
        return None
    columns: dict[str, Column] = {
        label: [None if value is None else value * 1000 for value in series.column(name)] for label, name in names
    }
    source = _source(report, series, columns)
    plot = time_figure("latency", "milliseconds", report, x_range)
    styles: dict[str, tuple[Pair, float, str | list[int]]] = {
        "p50": (palette.P50, 2, "solid"),
        "p95": (palette.P95, 2, [6, 3]),
        "p99": (palette.P99, 2.5, "solid"),
    }
    drawn = {label: _line(plot, source, label, *styles[label]) for label, _ in names}
    unit = time_unit(report["run"]["duration_s"])
    rows = [(label, f"@{label}{{0,0.0}} ms") for label, _ in reversed(names)]
    read_out(plot, drawn[names[0][0]], [(unit.name, "@t{0.[0]}"), *rows])
    peak = series.peak("latency_p99_s")
    words = f"Line chart of latency percentiles over {span_text(report['run']['duration_s'])}."
    if peak is not None:
        words += f" The 99th percentile peaks at {latency_text(peak[0])} at {number_text(peak[1])} s."
    return Chart(
        "latency",
        "Latency over time",
        plot,
        (*(Key(label, label, "6 3" if label == "p95" else "") for label, _ in names), *shading_keys(report)),
        words,
        "From the moment a request was due, so waiting on our side counts too. All answers that came in the second, "
        f"throttled ones included: these are quick, and pull the median down.{_covers(series, 'highest')}",
        thinned(
            "Latency percentiles over the run",
            ["from, s", *(label for label, _ in names)],
            [
                [f"{start_s:g}", *(latency_text(series.column(name)[at]) for _, name in names)]
                for at, start_s in enumerate(series.starts_s)
            ],
        ),
    )


def _concurrency(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    peak = series.peak("concurrency")
    if peak is None:
        return None
    source = _source(report, series, {"concurrency": series.column("concurrency")})
    plot = time_figure("concurrency", "requests in flight", report, x_range)
    _area(plot, source, "concurrency", palette.SENT, 0.14)
    line = _line(plot, source, "concurrency", palette.SENT)
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
    source = _source(report, series, columns)
    plot = time_figure("lateness", "milliseconds", report, x_range)
    plot.y_range = Range1d(start=0, end=max(12.0, peak[0] * 1150))
    line = _line(plot, source, "lateness", palette.SENT)
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
