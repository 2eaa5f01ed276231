"""A run's numbers for whoever watches: provisional outcomes, totals, the last full second."""

from burstline.core.load.ledger import Ledger, add
from burstline.core.load.totals import Second
from burstline.server.control.aborting import outcome_of
from burstline.server.control.active import ActiveRun, Progress

RECENT_S = 5
"""Live quantiles cover so many seconds."""


def progress_of(run: ActiveRun, now_nanos: int) -> Progress:
    """Return where a run stands."""
    total = Ledger()
    for ledger in run.ledgers(now_nanos):
        total = add(total, ledger)
    return Progress(run.run_s(now_nanos), run.full_second(now_nanos), total, len(run.holders()))


def outcomes_of(signatures: dict[str, int]) -> dict[str, int]:
    """Return provisional outcomes of counts by signature."""
    found: dict[str, int] = {}
    for signature, count in signatures.items():
        outcome = outcome_of(signature)
        found[outcome] = found.get(outcome, 0) + count
    return found


def last_full(run: ActiveRun, full_second: int | None) -> Second:
    """Return the last second that all workers reported; an empty one if there is none."""
    return run.live.seconds.get(full_second, Second()) if full_second is not None else Second()


def phase_name(run: ActiveRun, elapsed_s: float | None) -> str:
    """Return the phase under way; "" before T0 and after the last."""
    index = run.schedule.phase_at(elapsed_s) if elapsed_s is not None else None
    return run.plan.load[index].name if index is not None else ""
