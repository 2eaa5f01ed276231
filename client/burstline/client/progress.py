"""Where a run stands, while it runs: a live picture on a terminal, a line a second elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from burstline.client.following import View
from burstline.client.wording import clock_text, count_text, latency_text, plural, rate_text
from burstline.core.quota.classify import meaning
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


class QuietView:
    """Shows nothing."""

    def show(self, progress: runs.RunProgress) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


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
        f"p99 {latency_text(quantile_s(progress, 'p99_duration'))}",
        f"in flight {count_text(progress.in_flight_count)}",
    ]
    if progress.dropped_count:
        parts.append(f"dropped {count_text(progress.dropped_count)}")
    return "  ".join(part for part in parts if part)


class LiveView:
    """A picture of the run that is drawn anew with each update."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, progress: runs.RunProgress) -> None:
        """Draw an update."""
        for notice in progress.notices:
            self.say(notice)
        self._live.update(picture(progress))

    def say(self, text: str) -> None:
        """Print a message above the picture."""
        self._live.console.print(text, markup=False, highlight=False)


def picture(progress: runs.RunProgress) -> Group:
    """Return an update as a few lines for a terminal of 60 columns or more."""
    elapsed, planned = elapsed_s(progress), planned_s(progress)
    head = Text.assemble((progress.run.plan.name or progress.run.name, "bold"), "  ", _state_text(progress))
    bar = ProgressBar(total=max(planned, 1e-9), completed=min(max(elapsed, 0.0), planned), width=60)
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    left = f"{clock_text(elapsed)} of {clock_text(planned)}, {clock_text(max(0.0, planned - elapsed))} left"
    rows.add_row("time", left if elapsed >= 0 else f"starts in {-elapsed:.1f} s")
    rates = f"due {rate_text(progress.due_count_per_second)}   sent {rate_text(progress.sent_count_per_second)}"
    flight = f"in flight {count_text(progress.in_flight_count)}   {plural(progress.worker_count, 'worker')}"
    rows.add_row("rate", f"{rates}   {flight}")
    rows.add_row("requests", _requests_text(progress))
    rows.add_row("outcomes", _outcomes_text(progress))
    rows.add_row("latency", _latency_line(progress))
    found = throttles(progress)
    text = "   ".join(f"{name} {count_text(count)}" for name, count in found) or "none so far"
    rows.add_row("throttles", Text(text, style="yellow" if found else ""))
    line = Table.grid()  # a bar on its own does not end its line
    line.add_row(bar)
    return Group(head, line, rows)


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
def progress_view(console: Console, *, quiet: bool) -> Iterator[View]:
    """Give the view that fits: nothing, a live picture, or lines. The picture goes away at the end of the block."""
    if quiet:
        yield QuietView()
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield LiveView(live)
    else:
        yield LineView(console)
