"""Latency over run time: ok requests and throttles apart, as throttles are quick and would hide how slow work is."""

from bokeh.models import Range1d

from burstline.server.pages import palette
from burstline.server.pages.folding import Report, Series
from burstline.server.pages.formats import latency_text, number_text, span_text
from burstline.server.pages.frame import Chart, Key, read_out, shading_keys, time_figure, time_unit
from burstline.server.pages.lines import draw_line, source_of, step_words
from burstline.server.pages.palette import Pair
from burstline.server.pages.tables import Table, thinned

SENT_DASH = [2, 3]
Style = tuple[str, str, Pair, str, list[int]]
"""Column without its outcome, label, colour, its custom property, dash; an empty dash is a whole line."""

OK: tuple[Style, ...] = (
    ("due_p50", "p50", palette.P50, "p50", []),
    ("due_p95", "p95", palette.P95, "p95", [6, 3]),
    ("due_p99", "p99", palette.P99, "p99", []),
    ("sent_p99", "p99 from actual send", palette.SENT, "sent", SENT_DASH),
)
THROTTLED: tuple[Style, ...] = (
    ("due_p50", "p50", palette.OTHER, "other", [6, 3]),
    ("due_p99", "p99", palette.THROTTLED, "throttled", []),
    ("sent_p99", "p99 from actual send", palette.SENT, "sent", SENT_DASH),
)
COLUMNS = tuple((basis, q) for basis in ("due", "sent") for q in ("p50", "p95", "p99"))


def latency_chart(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    """Return the latency of ok requests over time; None if none had one."""
    note = (
        "Ok requests only, by the second in which the answer came, and from the moment it was due: waiting on our "
        "side counts, too. Where the dotted line lies lower, we were late. The p99 of fewer than 100 answers in a "
        "second is the longest."
    )
    return _chart(report, series, x_range, ("latency", "ok", "ok requests"), OK, note)


def throttles_chart(report: Report, series: Series, x_range: Range1d) -> Chart | None:
    """Return how quickly throttled requests were turned away over time; None if none was."""
    note = "How soon throttled requests were told so. They did no work: this is the network and the front alone."
    return _chart(report, series, x_range, ("throttles", "throttled", "throttled requests"), THROTTLED, note)


def _chart(
    report: Report,
    series: Series,
    x_range: Range1d,
    names: tuple[str, str, str],
    styles: tuple[Style, ...],
    note: str,
) -> Chart | None:
    key, outcome, plural = names
    if not any(series.column(f"latency_{outcome}_due_p99_s")):
        return None
    columns = {
        name: [None if value is None else value * 1000 for value in series.column(f"latency_{outcome}_{name}_s")]
        for name, *_ in styles
    }
    source = source_of(report, series, columns)
    plot = time_figure(key, "milliseconds", report, x_range)
    drawn = [draw_line(plot, source, name, colour, 2, dash or "solid") for name, _, colour, _, dash in styles]
    unit = time_unit(report["run"]["duration_s"])
    rows = [(label, f"@{name}{{0,0.0}} ms") for name, label, *_ in reversed(styles)]
    read_out(plot, drawn[0], [(unit.name, "@t{0.[0]}"), *rows])
    keys = (Key(label, css, " ".join(map(str, dash))) for _, label, _, css, dash in styles)
    return Chart(
        key,
        f"Latency of {plural} over time",
        plot,
        (*keys, *shading_keys(report)),
        _words(report, series, outcome, plural),
        note + step_words(series, "highest"),
        _table(series, outcome, plural),
    )


def _words(report: Report, series: Series, outcome: str, plural: str) -> str:
    words = f"Line chart of the latency percentiles of {plural} over {span_text(report['run']['duration_s'])}."
    for basis, text in (("due", "From due"), ("sent", "From actual send")):
        peak = series.peak(f"latency_{outcome}_{basis}_p99_s")
        if peak is not None:
            words += f" {text}, the 99th percentile peaks at {latency_text(peak[0])} at {number_text(peak[1])} s."
    return words


def _table(series: Series, outcome: str, plural: str) -> Table:
    found = [series.column(f"latency_{outcome}_{basis}_{q}_s") for basis, q in COLUMNS]
    rows = [
        [f"{start_s:g}", *map(latency_text, values)]
        for start_s, values in zip(series.starts_s, zip(*found, strict=True), strict=True)
    ]
    headings = ["from, s", *(q if basis == "due" else f"{q} from send" for basis, q in COLUMNS)]
    return thinned(f"Latency percentiles of {plural} over the run", headings, rows)
