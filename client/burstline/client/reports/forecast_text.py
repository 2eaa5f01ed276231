"""A forecast for a person: the verdict in a sentence, then tables."""

from rich.console import Console
from rich.table import Table

from burstline.client.wording import count_text, span_text
from burstline.core.quota.aws.neighbours import PoolShare
from burstline.core.quota.forecast.records import NEVER, Forecast, Interval
from burstline.core.quota.quotas import Layer

LAYER_NAMES = {
    Layer.USAGE_PLAN: "the usage plan",
    Layer.STAGE: "the stage's token bucket",
    Layer.ACCOUNT_GATEWAY: "the account's API Gateway bucket",
    Layer.INVOCATION_RATE: "Lambda's 10x invocation rule",
    Layer.RESERVED_CONCURRENCY: "the function's reserved concurrency",
    Layer.ACCOUNT_CONCURRENCY: "the account's concurrency",
    Layer.SCALING_RATE: "Lambda's scaling rate",
}

COST_NAMES = {
    "api": "API requests",
    "lambda_requests": "Lambda requests",
    "lambda_duration": "Lambda time",
    "provisioned": "provisioned concurrency",
    "total": "total",
}

MOST_FUNCTIONS = 20


def render_forecast(found: Forecast, console: Console, share: PoolShare | None = None) -> None:
    """Print a forecast, and what share of the concurrency that all share the run takes, if it takes any."""
    console.print(verdict(found), style="bold", highlight=False, soft_wrap=True)
    runs = "replayed request by request" if found.solver == "exact" else "drawn from a fluid model"
    console.print(
        f"Estimate from {found.simulated_runs} runs {runs}; intervals hold at least 90 % of runs. Nothing was sent.",
        highlight=False,
        soft_wrap=True,
    )
    console.print()
    if found.layers:
        console.print(_layers(found))
    console.print(_functions(found))
    console.print(_totals(found))
    if share is not None:
        console.print(share.text, highlight=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def verdict(found: Forecast) -> str:
    """Return the one sentence that answers the question."""
    asked = f"{count_text(found.request_count.mid)} requests over {span_text(found.duration_s)}"
    first = found.first_throttle_s
    if first.never:
        return f"No throttling expected: {asked}, and no simulated run had a throttled request."
    begins = max(found.layers, key=lambda one: one.first_ratio)
    most = max(found.layers, key=lambda one: one.throttled_count.mid)
    by = LAYER_NAMES.get(begins.layer, begins.layer.value)
    count = _text(found.throttled_count)
    if first.high == NEVER:
        soonest = f"no sooner than {_time(first.low)} s"
        return f"Throttling is possible, first by {by}, {soonest}: {count} of {asked} throttled."
    share = found.throttled_count.mid / max(found.request_count.mid, 1.0)
    mostly = f", most of them by {LAYER_NAMES.get(most.layer, most.layer.value)}" if most is not begins else ""
    return (
        f"Throttling begins at {_text(first, time=True)}, by {by}: {count} of {asked} throttled ({share:.1%}){mostly}."
    )


def _layers(found: Forecast) -> Table:
    table = _table("quota that throttles", "begins", "throttled", "first")
    for one in found.layers:
        name = LAYER_NAMES.get(one.layer, one.layer.value)
        begins, count = _text(one.first_s, time=True), _text(one.throttled_count)
        table.add_row(name, begins, count, f"{one.first_ratio:.0%} of runs")
    return table


def _functions(found: Forecast) -> Table:
    table = _table("function", "requests", "throttled", "peak concurrency", "cold starts")
    busiest = sorted(found.functions, key=lambda one: -one.throttled_count.mid)[:MOST_FUNCTIONS]
    for one in busiest:
        values = (one.request_count, one.throttled_count, one.peak_concurrency, one.cold_starts)
        table.add_row(one.name or "(not named)", *(_text(value) for value in values))
    rest = len(found.functions) - len(busiest)
    if rest:
        table.add_row(f"{rest} more (see --json)", "", "", "", "")
    return table


def _totals(found: Forecast) -> Table:
    table = _table("all together", "expected")
    table.add_row("account concurrency claimed, peak", _text(found.peak_claimed))
    table.add_row("cold starts", _text(found.cold_starts))
    for part, cost in found.cost_usd.items():
        if cost.high > 0 or part == "total":
            table.add_row(f"cost: {COST_NAMES[part]}", _usd(cost))
    return table


def _usd(cost: Interval) -> str:
    low, middle, high = (f"${value:,.2f}" for value in (cost.low, cost.mid, cost.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=index > 0)
    return table


def _text(one: Interval, *, time: bool = False) -> str:
    shown = _time if time else count_text
    low, middle, high = (shown(value) if value != NEVER else "never" for value in (one.low, one.mid, one.high))
    unit = " s" if time and middle != "never" else ""
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low} to {high})"


def _time(seconds: float) -> str:
    return f"{seconds:,.2f}" if seconds < 100 else f"{seconds:,.1f}"
