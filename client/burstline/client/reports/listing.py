"""Tables of runs and workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table

from burstline.client.wording import latency_text, rate_text
from burstline.v1 import resources_pb2 as v1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are wanted; what is empty asks for nothing.

    Attributes:
        name: text that the run's name holds, in any case.
        states: one of these, in lower case.
        verdicts: one of these.
        since_s: created at this Unix time or later.
    """

    name: str = ""
    states: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    since_s: float = 0.0

    def takes(self, run: v1.Run) -> bool:
        """Return whether a run is wanted."""
        return (
            self.name.lower() in run.plan.name.lower()
            and (not self.states or v1.Run.State.Name(run.state).lower() in self.states)
            and (not self.verdicts or run.verdict in self.verdicts)
            and not self.is_past(run)
        )

    def is_past(self, run: v1.Run) -> bool:
        """Return whether a run, and so every one after it in a list, is too old."""
        return run.create_time.seconds + run.create_time.nanos * 1e-9 < self.since_s


def run_document(run: v1.Run) -> dict[str, Any]:
    """Return a run as JSON types."""
    return {
        "run": run.name.removeprefix("runs/"),
        "name": run.plan.name,
        "created_at": run.create_time.ToDatetime(tzinfo=UTC).isoformat(),
        "state": v1.Run.State.Name(run.state).lower(),
        "verdict": run.verdict or None,
        "reason": run.reason or None,
    }


def runs_table(runs: Sequence[v1.Run]) -> Table:
    """Return runs as a table, in the order given."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "name", "created", "state", "verdict"):
        table.add_column(name, no_wrap=name != "name", overflow="fold" if name == "name" else "ellipsis")
    for run in runs:
        table.add_row(
            run.name.removeprefix("runs/"),
            run.plan.name,
            _time_text(run.create_time),
            v1.Run.State.Name(run.state).lower(),
            run.verdict or "-",
        )
    return table


def workers_table(workers: Sequence[v1.Worker], now: datetime | None = None) -> Table:
    """Return workers as a table."""
    moment = now or datetime.now(UTC)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("worker", "host", "pid", "version", "capacity", "round trip", "heard", "segments"):
        table.add_column(name)
    for worker in workers:
        heard_s = (moment - worker.heard_time.ToDatetime(tzinfo=UTC)).total_seconds()
        trip = worker.round_trip_duration
        table.add_row(
            worker.name.removeprefix("workers/")[:8],
            worker.hostname,
            str(worker.pid),
            worker.version,
            rate_text(worker.capacity_request_count_per_second),
            latency_text(trip.seconds + trip.nanos * 1e-9 or None),
            f"{max(0.0, heard_s):.1f} s ago",
            str(len(worker.segments)),
        )
    return table


def _time_text(moment: Timestamp) -> str:
    return moment.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
