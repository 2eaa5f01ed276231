"""The frame that all charts share: size, axes, colours of both schemes, shaded spans, and the pointer's read-out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bokeh.models import (
    Axis,
    BasicTickFormatter,
    BoxZoomTool,
    ColumnDataSource,
    CrosshairTool,
    DataRange1d,
    FixedTicker,
    Grid,
    HoverTool,
    Line,
    LinearAxis,
    Model,
    NumeralTickFormatter,
    Range1d,
    ResetTool,
    VStrip,
)
from bokeh.models.annotations.geometry import Span
from bokeh.models.annotations.labels import Label
from bokeh.models.renderers.glyph_renderer import GlyphRenderer
from bokeh.models.text import BaseText
from bokeh.plotting import figure

from burstline.server.pages import palette
from burstline.server.pages.folding import Report
from burstline.server.pages.palette import Pair
from burstline.server.pages.tables import Table

HEIGHT_PX = 300
PHONE_PX = 300
"""Width of a chart's inner part on a phone: what does not fit there is left out everywhere."""

LETTER_PX = 6.5


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a chart's legend.

    Attributes:
        label: its text.
        colour: a custom property of the style sheet, without `--`.
        dash: an SVG dash array; "" is a whole line.
        kind: `line` or `area`.
    """

    label: str
    colour: str
    dash: str = ""
    kind: str = "line"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with everything that stands around it.

    Attributes:
        key: its element's id, and the figure's name.
        title: its heading.
        model: what is drawn.
        legend: what its lines are.
        alternative: what it shows, in a sentence or two.
        note: how it is to be read.
        table: the same numbers.
    """

    key: str
    title: str
    model: Model
    legend: tuple[Key, ...]
    alternative: str
    note: str
    table: Table


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """The unit of a run-time axis."""

    name: str
    seconds: float


def time_unit(duration_s: float) -> TimeUnit:
    """Return the unit in which a run's time reads well."""
    if duration_s <= 600:
        return TimeUnit("seconds", 1)
    return TimeUnit("minutes", 60) if duration_s <= 36_000 else TimeUnit("hours", 3600)


def painted(model: Model, **colours: Pair) -> None:
    """Give a model's properties their light colours, and note both for the page's script (`scheme` in report.js)."""
    model.update(**{name: pair[0] for name, pair in colours.items()})
    model.tags = [*model.tags, {"scheme": {name: list(pair) for name, pair in colours.items()}}]


def chart_figure(key: str, y_label: str, x_label: str, *, x_scale: Literal["linear", "log"] = "linear") -> figure:
    """Return an empty figure in the house's style."""
    plot = figure(
        name=key,
        height=HEIGHT_PX,
        sizing_mode="stretch_width",
        min_width=240,
        tools=[BoxZoomTool(dimensions="width"), ResetTool()],
        active_drag=None,
        toolbar_location="above",
        toolbar_inner=True,
        output_backend="canvas",
        x_axis_type=x_scale,
    )
    plot.y_range = DataRange1d(start=0)
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.min_border_right = 12
    plot.xaxis.axis_label, plot.yaxis.axis_label = x_label, y_label
    plot.background_fill_color = plot.border_fill_color = None
    plot.outline_line_color = None
    for model in (*plot.select(type=Axis), *plot.select(type=Grid)):
        if isinstance(model, Axis):
            _style_axis(model)
        else:
            painted(model, grid_line_color=palette.GRID)
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    return plot


def _style_axis(axis: Axis) -> None:
    painted(
        axis,
        axis_label_text_color=palette.QUIET,
        major_label_text_color=palette.QUIET,
        axis_line_color=palette.LINE,
        major_tick_line_color=palette.LINE,
    )
    axis.axis_label_text_font = axis.major_label_text_font = "system-ui, sans-serif"
    axis.axis_label_text_font_size, axis.major_label_text_font_size = "13px", "12px"
    axis.axis_label_text_font_style = "normal"
    axis.minor_tick_line_color = None


def time_figure(key: str, y_label: str, report: Report, x_range: Range1d) -> figure:
    """Return an empty figure over run time, with the run's phases, its binding spans and ours shaded."""
    unit = time_unit(report["run"]["duration_s"])
    plot = chart_figure(key, y_label, f"{unit.name} of the run")
    plot.x_range = x_range
    plot.xaxis.formatter = BasicTickFormatter(use_scientific=False)
    plot.xgrid.visible = False
    _phases(plot, report, unit)
    _shade(plot, f"{key}-bindings", report["bindings"], unit, palette.THROTTLED, 0.16)
    _shade(plot, f"{key}-limited", report["generator"]["limited_spans"], unit, palette.QUIET, 0.10, hatch=True)
    return plot


def run_range(report: Report) -> Range1d:
    """Return the range of the run-time axis, which all charts of a report share."""
    unit = time_unit(report["run"]["duration_s"])
    length = max((len(column) for column in report["series"]["columns"].values()), default=0)
    end = max(report["run"]["duration_s"], length * report["series"]["step_s"], 1.0) / unit.seconds
    return Range1d(start=0, end=end, bounds=(0, end))


def shading_keys(report: Report) -> tuple[Key, ...]:
    """Return the legend's entries of the shaded spans that a report has."""
    keys = []
    if report["bindings"]:
        keys.append(Key("a quota binds", "throttled", kind="area"))
    if report["generator"]["limited_spans"]:
        keys.append(Key("we could not keep up", "quiet", kind="hatch"))
    return tuple(keys)


def _phases(plot: figure, report: Report, unit: TimeUnit) -> None:
    phases = [phase for phase in report["phases"] if phase["from_s"] < phase["to_s"]]
    whole_s = sum(phase["to_s"] - phase["from_s"] for phase in phases)
    if len(phases) < 2:
        return
    _shade(plot, f"{plot.name}-phases", phases[1::2], unit, palette.PHASE, 0.05)
    names: dict[float | str, str | BaseText] = {
        (phase["from_s"] + phase["to_s"]) / 2 / unit.seconds: phase["name"]
        for phase in phases
        if len(phase["name"]) * LETTER_PX < (phase["to_s"] - phase["from_s"]) / whole_s * PHONE_PX
    }
    axis = LinearAxis(major_label_overrides=names)
    axis.update(ticker=FixedTicker(ticks=[float(at) for at in names]))
    _style_axis(axis)
    axis.axis_line_color = axis.major_tick_line_color = None
    axis.tags = []
    painted(axis, major_label_text_color=palette.QUIET)
    axis.major_label_standoff = 0
    plot.add_layout(axis, "above")


def _shade(
    plot: figure,
    name: str,
    spans: Sequence[Mapping[str, Any]],
    unit: TimeUnit,
    colour: Pair,
    alpha: float,
    *,
    hatch: bool = False,
) -> None:
    if not spans:
        return
    source = ColumnDataSource(
        {
            "from": [span["from_s"] / unit.seconds for span in spans],
            # a span of a few bins still shows
            "to": [max(span["to_s"], span["from_s"] + 0.05) / unit.seconds for span in spans],
        }
    )
    strip = VStrip(x0="from", x1="to", fill_alpha=alpha, line_color=None)
    painted(strip, fill_color=colour)
    if hatch:
        strip.update(hatch_pattern="right_diagonal_line", hatch_scale=16, hatch_weight=1, hatch_alpha=0.5)
        painted(strip, hatch_color=colour)
    plot.add_glyph(source, strip, name=name)


def read_out(plot: figure, renderer: "GlyphRenderer[Line]", rows: Sequence[tuple[str, str]]) -> None:
    """Show, at the pointer, (label, format) rows of a renderer's data."""
    plot.add_tools(
        HoverTool(
            renderers=[renderer], tooltips=list(rows), mode="vline", line_policy="nearest", attachment="horizontal"
        ),
        CrosshairTool(dimensions="height", line_alpha=0.4),
    )


def limit_line(plot: figure, value: float, text: str) -> None:
    """Draw a quota's value across a chart, with its name on it."""
    line = Span(location=value, dimension="width", line_width=2, line_dash=[2, 3])
    painted(line, line_color=palette.LIMIT)
    label = Label(
        x=4, x_units="screen", y=value, text=text, text_baseline="bottom", text_font_size="12px", y_offset=2,
        text_font="system-ui, sans-serif",
    )  # fmt: skip
    painted(label, text_color=palette.LIMIT)
    plot.add_layout(line)
    plot.add_layout(label)
