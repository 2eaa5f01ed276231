"""Everything that judging needs of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from burstline.core.load.ledger import Ledger
from burstline.core.load.plan import Plan
from burstline.core.load.schedule import Schedule
from burstline.core.load.totals import Totals
from burstline.core.quota.quotas import Account

if TYPE_CHECKING:  # imported for runs that ask AWS: others start without waiting for it
    from burstline.core.quota.aws.evidence import AwsEvidence


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that held a segment of the run.

    Attributes:
        name: `workers/{worker}`.
        hostname: its host's name.
        pid: its process id.
        version: its burstline version.
        segments: indices of the segments it held.
        lost: it died or was given up during the run.
        clock_error_s: half-width of the error of its clock estimate, seconds; None if unknown.
        sent: requests it sent, as far as its windows tell.
        lateness_p99_s: how late it sent, seconds; None if too few were sent to tell.
        lateness_max_s: the same of its latest request; None if it sent none.
        start_late_s: how long after its due time its first request left, to 10 ms; None if unknown.
    """

    name: str
    hostname: str = ""
    pid: int = 0
    version: str = ""
    segments: tuple[int, ...] = ()
    lost: bool = False
    clock_error_s: float | None = None
    sent: int = 0
    lateness_p99_s: float | None = None
    lateness_max_s: float | None = None
    start_late_s: float | None = None


@dataclass(frozen=True, slots=True)
class PreflightAnswer:
    """What one request before T0 showed; fields as in the proto's `PreflightReport.Answer`.

    Attributes:
        latency_s: from sending to the last byte, seconds; None if no answer came.
    """

    request: str
    address: str = ""
    status: int = 0
    signature: str = ""
    front: str = ""
    tls: str = ""
    latency_s: float | None = None
    cache_headers: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Everything that judging needs of one run, once all outcomes are known or given up.

    Attributes:
        id: the run's id, without `runs/`.
        plan: what was asked for.
        account: declared quotas, AWS's defaults elsewhere (`Account.declared` says which).
        schedule: of `plan.load` and `plan.seed`.
        totals: all windows of all segments, bins shifted to the server's clock.
        ledger: of the whole run; it closes (`Ledger.imbalances` is empty).
        ledgers_by_phase: by phase index, as many as phases; they sum to `ledger` except for `preflight`.
        duration_s: run time at which the last request came due: the schedule's length unless stopped, seconds.
        started_at: T0, with its time zone; None if it never started.
        name: shown to the user; "" is the plan's name.
        workers: each that held a segment.
        region: AWS region, if known.
        account_last4: last four digits of the AWS account's number, if known.
        preflight: answers before T0.
        stopped_by: "" (ran to its end), "user" or "abort".
        abort_rule: text of the rule that stopped it; "" exactly when `stopped_by` is not "abort".
        problem: why it could not run at all; "" if it ran.
        start_skew_s: between the first and the last worker's first due request, seconds; None if unknown.
        notes: sentences for the user.
        version: burstline's version.
        target_lateness_p99_s: how late the target itself was, as an emulator exports it, seconds; None for others.
        aws: what AWS said about it; None if it was not asked.
    """

    id: str
    plan: Plan
    account: Account
    schedule: Schedule
    totals: Totals
    ledger: Ledger
    ledgers_by_phase: Sequence[Ledger]
    duration_s: float
    started_at: datetime | None = None
    name: str = ""
    workers: Sequence[WorkerInfo] = ()
    region: str | None = None
    account_last4: str | None = None
    preflight: Sequence[PreflightAnswer] = ()
    stopped_by: str = ""
    abort_rule: str = ""
    problem: str = ""
    start_skew_s: float | None = None
    notes: Sequence[str] = ()
    version: str = ""
    target_lateness_p99_s: float | None = None
    aws: "AwsEvidence | None" = None
