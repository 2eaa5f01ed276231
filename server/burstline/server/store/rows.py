"""The store's rows as plain records."""

from dataclasses import dataclass
from enum import StrEnum

LEFT = "left"
"""End reason of a worker that stopped by its own decision: its segment goes to another."""


class RunState(StrEnum):
    """Where a run stands; as in the proto's `Run.State`."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    SETTLING = "SETTLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def final(self) -> bool:
        """Whether it never changes again."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED)


@dataclass(slots=True)
class RunRow:
    """A run as it is stored; columns as in `schema.runs`.

    Attributes:
        plan: proto bytes of `v1.Plan`.
        account: proto bytes of `v1.Account`; None is "not declared".
        preflight: proto bytes of `v1.PreflightReport`; None until it is known.
        stopped_by: "", "user" or "abort".
        trace_parent: W3C's, of the call that created it; "" if that was not traced.
    """

    id: str
    server: str
    name: str
    create_nanos: int
    plan: bytes
    account: bytes | None = None
    request_id: str | None = None
    state: RunState = RunState.QUEUED
    verdict: str = ""
    reason: str = ""
    start_nanos: int | None = None
    end_nanos: int | None = None
    worker_count: int = 0
    segment_count: int = 0
    stopped_by: str = ""
    abort_rule: str = ""
    stop_nanos: int | None = None
    preflight: bytes | None = None
    trace_parent: str = ""


@dataclass(slots=True)
class EpochRow:
    """One assignment of a segment; columns as in `schema.epochs`.

    Attributes:
        living_until_nanos: when its lease had ended for certain, server clock; None while it lives or ended itself.
        end_reason: "" until the worker ended it: "done", "stopped", "lease", "superseded" or "left".
        window_count: how many windows it had; None until it ended.
    """

    run: str
    segment: int
    epoch: int
    worker_id: str
    worker_name: str
    hostname: str = ""
    pid: int = 0
    version: str = ""
    from_position: int = 0
    living_until_nanos: int | None = None
    end_reason: str = ""
    window_count: int | None = None


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window as proto bytes, under its key."""

    run: str
    segment: int
    epoch: int
    sequence: int
    body: bytes
