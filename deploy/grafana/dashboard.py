"""Writes dashboards/burstline.json: `python deploy/grafana/dashboard.py`. A test keeps the file up to date.

Made with grafana-foundation-sdk for Grafana 11.6; the data source is a variable, so that the file can be imported
into any Grafana that has a Prometheus.
"""

import json
from pathlib import Path

from burstline.core.load.plan import Front
from burstline.core.load.samples import Outcome
from burstline.core.quota.answers.classify import meaning, signatures
from grafana_foundation_sdk.builders import bargauge, common, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as kinds

FILE = Path(__file__).parent / "dashboards" / "burstline.json"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="$source")
RUN, FUNCTION = 'run="$run"', 'function=~"$function|"'
RATE = "[$__rate_interval]"
GREEN, ORANGE, RED = "green", "orange", "red"

RUN_QUERY = "query_result(burstline_run_info)"
RUN_REGEX = r'/[{,]name="(?<text>[^"]*)".*[{,]run="(?<value>[^"]*)"/'
"""A run is chosen by its name, and the panels ask by its slot."""

Panel = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel


def signatures_of(outcome: Outcome) -> str:
    """Return a regular expression for the signatures of an outcome that may be throttles, of all fronts."""
    found = {
        one for front in Front for one in signatures(front) if meaning(one).rejects and meaning(one).outcome is outcome
    }
    return "|".join(one.replace(".", "[.]") for one in sorted(found))


THROTTLED, UNSETTLED = signatures_of(Outcome.THROTTLED), signatures_of(Outcome.UNSETTLED)


def target(expression: str, legend: str, *, name: str = "A", instant: bool = False) -> query.Dataquery:
    """Return a query; `instant` asks for the newest value only."""
    asked = query.Dataquery().expr(expression).legend_format(legend).ref_id(name).datasource(SOURCE)
    return asked.instant().format(kinds.PromQueryFormat.TABLE) if instant else asked.range()


def bounds(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Return colours from a value upwards; the first one has no value."""
    found = [model.Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def lines(title: str, text: str, unit: str, *targets: query.Dataquery) -> timeseries.Panel:
    """Return a panel of lines over time, half the width."""
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.TABLE).show_legend(True)
    legend = legend.placement(looks.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    panel = timeseries.Panel().title(title).description(text).unit(unit).span(12).height(8).min(0).legend(legend)
    panel = panel.datasource(SOURCE).line_width(2).fill_opacity(8).show_points(looks.VisibilityMode.NEVER)
    for asked in targets:
        panel = panel.with_target(asked)
    return panel


def number(title: str, text: str, unit: str, expression: str, limits: build.ThresholdsConfig) -> stat.Panel:
    """Return a panel of one number, a sixth of the width."""
    newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    panel = stat.Panel().title(title).description(text).unit(unit).span(4).height(4).datasource(SOURCE)
    panel = panel.reduce_options(newest).thresholds(limits).graph_mode(looks.BigValueGraphMode.AREA)
    return panel.with_target(target(expression, title))


def quantile(share: float, metric: str, by: str = "le", where: str = f"{{{RUN}}}") -> str:
    """Return an expression for a quantile of a histogram over the last moments."""
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{where}{RATE})))"


def answers(matching: str) -> str:
    """Return an expression for answers per second whose signature matches."""
    return f'sum(rate(burstline_requests_total{{{RUN},signature=~"{matching}"}}{RATE}))'


def now_panels() -> list[Panel]:
    """Return the numbers of the top row."""
    plain = bounds((None, GREEN))
    share = f"({answers(THROTTLED)} or vector(0)) / clamp_min({answers('.+')}, 1e-9)"
    late = quantile(0.99, "burstline_lateness_seconds")
    return [
        number("Due", "Requests due in the last full second.", "reqps", f"burstline_due_rate{{{RUN}}}", plain),
        number("Sent", "Requests sent in the last full second.", "reqps", f"burstline_sent_rate{{{RUN}}}", plain),
        number(
            "Peak sent, 10 ms", "The highest rate of any 10 ms so far: what a burst asks of a token bucket.",
            "reqps", f'burstline_sent_rate_peak{{{RUN},window="10ms"}}', plain,
        ),
        number("Throttled", "Share of answers that are throttles for certain.", "percentunit", share,
               bounds((None, GREEN), (0.0001, ORANGE), (0.01, RED))),
        number("Lateness p99", "Above 10 ms this generator is the limit, not a quota.", "s", late,
               bounds((None, GREEN), (0.005, ORANGE), (0.01, RED))),
        number("Workers", "Workers attached to the server.", "none", "burstline_workers", plain),
    ]  # fmt: skip


def load_panels() -> list[Panel]:
    """Return what was sent and what came of it."""
    by_signature = f"sum by (signature) (rate(burstline_requests_total{{{RUN}}}{RATE}))"
    return [
        lines("Due and sent", "An open model: what is due does not depend on the target.", "reqps",
              target(f"burstline_due_rate{{{RUN}}}", "due"),
              target(f"burstline_sent_rate{{{RUN}}}", "sent", name="B")),
        lines("Answers by signature", "What the answers looked like, as they became known.", "reqps",
              target(by_signature, "{{signature}}")),
        lines("Latency, from due", "All answers, throttles too; waiting for a late send counts.", "s",
              *(target(quantile(share, "burstline_request_duration_seconds"), name, name=letter)
                for share, name, letter in ((0.5, "p50", "A"), (0.95, "p95", "B"), (0.99, "p99", "C")))),
        lines("In flight", "Requests sent whose answer is not known.", "none",
              target(f"burstline_in_flight{{{RUN}}}", "in flight")),
        lines("Throttled and unsettled answers", "Unsettled ones may be throttles: the end of the run settles them.",
              "reqps", target(f"{answers(THROTTLED)} or vector(0)", "throttled"),
              target(f"{answers(UNSETTLED)} or vector(0)", "unsettled", name="B")),
        lines("Lateness", "How far after due requests left.", "s",
              target(quantile(0.5, "burstline_lateness_seconds"), "p50"),
              target(quantile(0.99, "burstline_lateness_seconds"), "p99", name="B")),
    ]  # fmt: skip


def quota_panels() -> list[Panel]:
    """Return the account's quotas; those of one function follow the variable."""
    used = f"1 - burstline_quota_headroom_ratio{{{FUNCTION}}}"
    bars = bargauge.Panel().title("Use of each quota").unit("percentunit").min(0).max(1).span(12).height(9)
    bars = bars.description("Use over value; above 1 is what was asked for and refused.").datasource(SOURCE)
    bars = bars.orientation(looks.VizOrientation.HORIZONTAL).display_mode(looks.BarGaugeDisplayMode.BASIC)
    bars = bars.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    bars = bars.thresholds(bounds((None, GREEN), (0.8, ORANGE), (1.0, RED)))
    rows = table.Panel().title("Quotas").span(12).height(9).datasource(SOURCE)
    rows = rows.description("Value, highest use, and what the advice is to ask for.")
    for letter, name in (("A", "limit"), ("B", "usage"), ("C", "recommended")):
        rows = rows.with_target(target(f"burstline_quota_{name}{{{FUNCTION}}}", name, name=letter, instant=True))
    hidden = {"Time": True, "__name__": True, "instance": True, "job": True}
    hidden |= {f"{name} {number}": True for name in hidden for number in (1, 2, 3)}
    renamed = {"Value #A": "value", "Value #B": "highest use", "Value #C": "recommended"}
    rows = rows.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    rows = rows.with_transformation(
        model.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": renamed})
    )
    return [bars.with_target(target(used, "{{quota}} {{function}}")), rows]


def worker_panels() -> list[Panel]:
    """Return the workers' own health: whether this generator was the limit."""
    lag = quantile(0.99, "burstline_worker_loop_lag_seconds", by="instance, le", where="")
    opened = f'sum by (event) (rate(burstline_worker_connections_total{{event!="reused"}}{RATE}))'
    return [
        lines("CPU of each worker", "One worker uses one core; near 1 it is the limit.", "percentunit",
              target("burstline_worker_cpu_ratio", "{{instance}}")),
        lines("Event loop lag p99", "How late a worker's loop woke.", "s", target(lag, "{{instance}}")),
        lines("Dropped by reason",
              "Due and not sent: late, over our own ceiling, no free slot, or a template without a result.", "reqps",
              target(f"sum by (reason) (rate(burstline_worker_requests_dropped_total{RATE}))", "{{reason}}")),
        lines("Connections", "Opened and failed per second; open sockets.", "none",
              target(opened, "{{event}}"),
              target("sum(burstline_worker_open_sockets)", "open sockets", name="B")),
    ]  # fmt: skip


def dashboard() -> build.Dashboard:
    """Return the dashboard."""
    source = build.DatasourceVariable("source").label("Prometheus").type("prometheus")
    run = build.QueryVariable("run").label("Run").datasource(SOURCE).query(RUN_QUERY).regex(RUN_REGEX)
    run = run.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)
    function = build.QueryVariable("function").label("Function").datasource(SOURCE)
    function = function.query('label_values(burstline_quota_limit{function!=""}, function)').include_all(True)
    function = function.all_value(".*").multi(True).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    board = build.Dashboard("burstline").uid("burstline").tags(["burstline"]).refresh("5s").time("now-15m", "now")
    board = board.description("Paced bursts at an API on AWS: which quota binds.").editable()
    board = board.with_variable(source).with_variable(run).with_variable(function.current(everything))
    sections = (
        ("Now", now_panels()),
        ("Load", load_panels()),
        ("Quotas", quota_panels()),
        ("Workers", worker_panels()),
    )
    for title, panels in sections:
        board = board.with_row(build.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def text() -> str:
    """Return the file's content: panels numbered in their order, without defaults of another kind of variable."""
    written = json.loads(JSONEncoder(sort_keys=True, indent=2).encode(dashboard().build()))
    for variable in written["templating"]["list"]:
        for key in ("auto", "auto_count", "auto_min"):
            variable.pop(key, None)
    for number_, panel in enumerate(written["panels"], 1):
        panel["id"] = number_
    return json.dumps(written, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
