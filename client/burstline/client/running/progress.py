"""Where a run stands, while it runs: a live picture on a terminal, a line a second elsewhere."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from burstline.client.running.following import View
from burstline.client.wording import clock_text, count_text, latency_text, plural, rate_text
from burstline.core.quota.answers.classify import meaning
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as runs

STATES = {
    v1.Run.QUEUED: "waiting for workers",
    v1.Run.PREPARING: "preparing: preflight, data, connections",
    v1.Run.RUNNING: "running",
    v1.Run.SETTLING: "settling: last answers, judgement",
    v1.Run.SUCCEEDED: "ended",
    v1.Run.FAILED: "could not run",
    v1.Run.STOPPED: "stopped",
}
OUTCOMES = ("ok", "throttled", "unsettled", "rejected", "failed", "timed_out", "unreachable")
NEARLY_FULL = 0.8
"""Share of a quota from which its bar is yellow: below 20 % of headroom."""

TITLES = 12
"""Columns of the titles on the left, so that what stands beside them is in line."""

COLOURS = {"ok": "green", "throttled": "yellow", "unsettled": "yellow"}


def throttles(progress: runs.RunProgress) -> list[tuple[str, int]]:
    """Return the signatures that may be throttles with their counts, most frequent first."""
    counts = [(name, count) for name, count in progress.signatures.items() if count and _may_throttle(name)]
    return sorted(counts, key=lambda pair: (-pair[1], pair[0]))


def _may_throttle(signature: str) -> bool:
    try:
        return meaning(signature).rejects
    except (KeyError, ValueError):  # a newer server may know more signatures than we do
        return False


def throttles_by_layer(progress: runs.RunProgress) -> list[tuple[str, int]]:
    """Return who may have throttled, with counts, most frequent first: `stage rate`, `stage rate or account rate`.

    Of the layers that a signature may come from, those stay in whose quotas stand in the plan's way, under the titles
    that their bars have.
    """
    counts: dict[str, int] = {}
    for signature, count in throttles(progress):
        layers = {layer.value for layer in meaning(signature).layers}
        titles = " or ".join(dict.fromkeys(use.title for use in progress.quota_uses if use.layer in layers))
        text = (titles or "not in the plan's quotas") if progress.quota_uses else signature
        counts[text] = counts.get(text, 0) + count
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def elapsed_s(progress: runs.RunProgress) -> float:
    """Return run time in seconds; negative before T0."""
    return progress.elapsed_duration.seconds + progress.elapsed_duration.nanos * 1e-9


def planned_s(progress: runs.RunProgress) -> float:
    """Return the plan's length in seconds."""
    return progress.planned_duration.seconds + progress.planned_duration.nanos * 1e-9


def quantile_s(progress: runs.RunProgress, name: str) -> float | None:
    """Return a latency quantile in seconds; None while nothing completed."""
    if not progress.HasField(name):  # type: ignore[arg-type]  # the stub wants a literal
        return None
    value = getattr(progress, name)
    return float(value.seconds + value.nanos * 1e-9)


class LineView:
    """One line a second, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: v1.Run.State.ValueType | None = None
        self._second = -1

    def show(self, progress: runs.RunProgress) -> None:
        """Print a line if a second has passed, and each change of state."""
        for notice in progress.notices:
            self.say(notice)
        if progress.run.state != self._state:
            self._state = progress.run.state
            self.say(STATES.get(self._state, "unknown state"))
        second = int(elapsed_s(progress))
        if progress.run.state == v1.Run.RUNNING and second > self._second and second > 0:
            self._second = second
            self.say(line_text(progress))

    def say(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def line_text(progress: runs.RunProgress) -> str:
    """Return an update as one line."""
    outcomes = "  ".join(
        f"{name} {count_text(progress.outcomes[name])}" for name in OUTCOMES if progress.outcomes.get(name)
    )
    parts = [
        f"{clock_text(elapsed_s(progress))}/{clock_text(planned_s(progress))}",
        progress.phase or "-",
        f"due {rate_text(progress.due_count_per_second)}",
        f"sent {rate_text(progress.sent_count_per_second)}",
        outcomes,
        f"ok p99 {latency_text(quantile_s(progress, 'p99_duration'))}",
        f"in flight {count_text(progress.in_flight_count)}",
    ]
    if progress.dropped_count:
        parts.append(f"dropped {count_text(progress.dropped_count)}")
    parts += [
        f"{use.title} {count_text(use.use)} of {count_text(use.limit)} BINDS"
        for use in progress.quota_uses
        if use.binding
    ]
    return "  ".join(part for part in parts if part)


class LiveView:
    """A picture of the run that is drawn anew with each update."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, progress: runs.RunProgress) -> None:
        """Draw an update."""
        for notice in progress.notices:
            self.say(notice)
        self._live.update(picture(progress, self._live.console.width))

    def say(self, text: str) -> None:
        """Print a message above the picture."""
        self._live.console.print(text, markup=False, highlight=False)


def picture(progress: runs.RunProgress, width: int = 80) -> Group:
    """Return an update as a few lines for a terminal of `width` columns, 60 or more."""
    elapsed, planned = elapsed_s(progress), planned_s(progress)
    head = Text.assemble((progress.run.plan.name or progress.run.name, "bold"), "  ", _state_text(progress))
    bar = ProgressBar(
        total=max(planned, 1e-9),
        completed=min(max(elapsed, 0.0), planned),
        width=min(100, width - 20),
        complete_style="cyan",
        finished_style="cyan",
    )
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True, min_width=TITLES)
    rows.add_column(overflow="fold")
    left = f"{clock_text(elapsed)} of {clock_text(planned)}, {clock_text(max(0.0, planned - int(elapsed)))} left"
    rows.add_row("time", left if elapsed >= 0 else f"starts in {-elapsed:.1f} s")
    rates = f"due {rate_text(progress.due_count_per_second)}   sent {rate_text(progress.sent_count_per_second)}"
    flight = f"in flight {count_text(progress.in_flight_count)}   {plural(progress.worker_count, 'worker')}"
    rows.add_row("rate", f"{rates}   {flight}")
    rows.add_row("requests", _requests_text(progress))
    rows.add_row("outcomes", _outcomes_text(progress))
    rows.add_row("latency, ok", _latency_line(progress))
    rows.add_row("throttles", _throttles_text(progress))
    line = Table.grid()  # a bar on its own does not end its line
    line.add_row(bar)
    parts: list[RenderableType] = [head, line, rows]
    if progress.quota_uses:
        parts.append(quotas_table(progress.quota_uses, width))
    return Group(*parts)


def _throttles_text(progress: runs.RunProgress) -> Text:
    found = throttles_by_layer(progress)
    text = "   ".join(f"{name} {count_text(count)}" for name, count in found)
    return Text(text, style="yellow") if found else Text("none so far")


def quotas_table(uses: Iterable[runs.QuotaUse], width: int) -> Table:
    """Return a bar per quota that fills towards its limit, and is red while the quota refuses requests."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=TITLES, max_width=24)
    table.add_column(width=max(10, min(60, width - 56)))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for use in uses:
        share = use.use / use.limit
        colour = "red" if use.binding else "yellow" if share > NEARLY_FULL else "green"
        bar = ProgressBar(total=1.0, completed=min(share, 1.0), complete_style=colour, finished_style=colour)
        of = f"{count_text(use.use)} of {count_text(use.limit)}"
        word = Text("BINDS", style="bold red") if use.binding else Text(f"{share:.0%}", style=colour)
        table.add_row(use.title, bar, of, word)
    return table


def _state_text(progress: runs.RunProgress) -> str:
    if progress.run.state == v1.Run.RUNNING and progress.phase:
        return progress.phase if progress.phase.startswith("phase ") else f"phase {progress.phase}"
    return STATES.get(progress.run.state, "unknown state")


def _requests_text(progress: runs.RunProgress) -> str:
    of = f" of {count_text(progress.scheduled_count)}" if progress.scheduled_count else ""
    dropped = f"   dropped {count_text(progress.dropped_count)}" if progress.dropped_count else ""
    return f"{count_text(progress.sent_count)} sent{of}{dropped}"


def _outcomes_text(progress: runs.RunProgress) -> Text:
    text = Text()
    for name in OUTCOMES:
        count = progress.outcomes.get(name, 0)
        if count:
            text.append(f"{name} {count_text(count)}   ", style=COLOURS.get(name, "red"))
    return text if text else Text("none yet")


def _latency_line(progress: runs.RunProgress) -> str:
    return "   ".join(
        f"{name} {latency_text(quantile_s(progress, f'{name}_duration'))}" for name in ("p50", "p95", "p99")
    )


@contextmanager
def progress_view(console: Console) -> Iterator[View]:
    """Give the view that fits: a live picture, or lines. The picture goes away at the end of the block."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield LiveView(live)
    else:
        yield LineView(console)
