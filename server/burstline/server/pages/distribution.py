"""The latency distribution on the axis of HDR histograms: each step to the right is a tenth of the requests left."""

from typing import Any

from bokeh.models import ColumnDataSource, FixedTicker, Line, Range1d
from bokeh.models.text import BaseText

from burstline.server.pages import palette
from burstline.server.pages.folding import Report, percentile_curve, value_at
from burstline.server.pages.formats import count_text, latency_text
from burstline.server.pages.frame import Chart, Key, chart_figure, painted, read_out
from burstline.server.pages.palette import Pair
from burstline.server.pages.tables import Table

TICKS: dict[float | str, str | BaseText] = {
    1: "0%", 2: "50%", 4: "75%", 10: "90%", 20: "95%", 100: "99%", 1000: "99.9%", 10_000: "99.99%",
    100_000: "99.999%", 1_000_000: "99.9999%",
}  # fmt: skip
"""1 / (1 - quantile) -> the quantile."""

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)

STYLES: dict[tuple[str, str], tuple[str, Pair, str | list[int], str]] = {
    ("ok", "due"): ("ok, from due", palette.ACCEPTED, "solid", "accepted"),
    ("ok", "sent"): ("ok, from actual send", palette.SENT, [6, 4], "sent"),
    ("throttled", "due"): ("throttled, from due", palette.THROTTLED, [2, 3], "throttled"),
}
"""What is drawn, in this order: label, colour, dash, custom property."""


def distribution_chart(report: Report) -> Chart | None:
    """Return the chart; None if no outcome has samples enough for a percentile."""
    curves = []
    for one in report.get("distributions", ()):
        curve = percentile_curve(one)
        if (one["outcome"], one["basis"]) in STYLES and len(curve) > 1:
            curves.append((one, curve))
    if not curves:
        return None
    plot = chart_figure("distribution", "milliseconds", "percentile of requests", x_scale="log")
    reach = max(1 / (1 - curve[-1][0]) for _, curve in curves)
    plot.x_range = Range1d(start=1, end=reach * 1.05)
    ticker = FixedTicker(ticks=[float(tick) for tick in TICKS if float(tick) <= reach * 1.05])
    plot.xaxis.ticker = plot.xgrid.ticker = ticker
    plot.xaxis.major_label_overrides = TICKS
    keys = []
    for one, curve in curves:
        label, colour, dash, name = STYLES[one["outcome"], one["basis"]]
        source = ColumnDataSource(
            {
                "x": [1 / (1 - quantile) for quantile, _ in curve],
                "percent": [quantile * 100 for quantile, _ in curve],
                "ms": [value_s * 1000 for _, value_s in curve],
            }
        )
        line = Line(x="x", y="ms", line_width=2.5, line_dash=dash)
        painted(line, line_color=colour)
        drawn = plot.add_glyph(source, line, name=f"distribution-{one['outcome']}-{one['basis']}")
        if one["basis"] == "due":
            read_out(plot, drawn, [(label, "@ms{0,0.0} ms at @percent{0.[000]}%")])
        keys.append(Key(label, name, " ".join(map(str, dash)) if isinstance(dash, list) else ""))
    words = "Percentile chart of latency. " + " ".join(
        f"{STYLES[one['outcome'], one['basis']][0].capitalize()}: median {latency_text(value_at(line, 0.5))}, "
        f"99th percentile {latency_text(value_at(line, 0.99))}, longest {latency_text(one['max_s'])}."
        for one, line in curves
    )
    return Chart(
        "distribution",
        "Latency as a distribution",
        plot,
        tuple(keys),
        words,
        "Each tick to the right is rarer. A line ends where fewer than ten requests are beyond it. The gap between "
        "from-due and from-send is time that a request waited on our side.",
        _table([(STYLES[one["outcome"], one["basis"]][0], one, line) for one, line in curves]),
    )


def _table(curves: list[tuple[str, dict[str, Any], list[tuple[float, float]]]]) -> Table:
    rows = [
        (f"{quantile * 100:g}%", *(latency_text(value_at(curve, quantile)) for _, _, curve in curves))
        for quantile in QUANTILES
    ]
    longest = ("longest", *(latency_text(one["max_s"]) for _, one, _ in curves))
    counts = ("requests", *(count_text(one["count"]) for _, one, _ in curves))
    return Table("Latency by percentile", ("percentile", *(label for label, _, _ in curves)), (*rows, longest, counts))
