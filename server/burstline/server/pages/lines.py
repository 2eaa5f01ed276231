"""Lines and areas over run time."""

from bokeh.models import ColumnDataSource, Line, VArea
from bokeh.models.renderers.glyph_renderer import GlyphRenderer
from bokeh.plotting import figure

from burstline.server.pages.folding import Column, Report, Series
from burstline.server.pages.formats import span_text
from burstline.server.pages.frame import painted, time_unit
from burstline.server.pages.palette import Pair

UNKNOWN = float("nan")


def source_of(report: Report, series: Series, columns: dict[str, Column]) -> ColumnDataSource:
    """Return columns over run time as the corners of steps: each value stands from its second's start to its end."""
    unit = time_unit(report["run"]["duration_s"])
    times = [at_s / unit.seconds for start_s in series.starts_s for at_s in (start_s, start_s + series.step_s)]
    data = {
        name: [UNKNOWN if value is None else value for value in column for _ in range(2)]
        for name, column in columns.items()
    }
    return ColumnDataSource({"t": times, **data})


def draw_line(
    plot: figure, source: ColumnDataSource, name: str, colour: Pair, width: float = 2, dash: str | list[int] = "solid"
) -> "GlyphRenderer[Line]":
    """Draw a column of a source as a line named after chart and column; `width` is in pixels."""
    glyph = Line(x="t", y=name, line_width=width, line_dash=dash, line_join="miter")
    painted(glyph, line_color=colour)
    found: GlyphRenderer[Line] = plot.add_glyph(source, glyph, name=f"{plot.name}-{name}")
    return found


def draw_area(plot: figure, source: ColumnDataSource, name: str, colour: Pair, alpha: float) -> None:
    """Fill from zero up to a column of a source; `alpha` is 0..1."""
    glyph = VArea(x="t", y1=name, y2=0, fill_alpha=alpha)
    painted(glyph, fill_color=colour)
    plot.add_glyph(source, glyph, name=f"{plot.name}-{name}-area")


def step_words(series: Series, what: str) -> str:
    """Return what each step of a long run's line stands for (`mean`, `highest`); "" where it is one second."""
    return f" Each step is the {what} of {span_text(series.step_s)}." if series.step_s != 1 else ""
