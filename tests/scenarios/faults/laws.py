"""What must hold after every fault: the ledger closes, and it agrees with what the target wrote down."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burstline.server.judging.codec import decode_window
from burstline.server.store.store import Store
from faults.world import Seen, World


@dataclass(frozen=True, slots=True)
class Account:
    """A report's ledger beside the target's count."""

    ledger: dict[str, Any]
    count: int

    def __getitem__(self, name: str) -> int:
        return int(self.ledger[name])


def account(world: World, report: dict[str, Any], *, scheduled: int, unread: int = 0) -> Account:
    """Check every law and return the numbers.

    Args:
        world: whose target saw the requests.
        report: of the run.
        scheduled: arrivals of the plan.
        unread: requests that may have been written to a connection of a target that died before it read them.
    """
    ledger, seen = report["ledger"], world.seen()
    found = Account(ledger, len(seen.numbers))
    _note(found)
    assert ledger["scheduled"] == scheduled
    assert ledger["scheduled"] == ledger["due"] + ledger["not_due"]
    assert ledger["dropped"] == sum(ledger["dropped_by_reason"].values())
    assert ledger["due"] == ledger["sent"] + ledger["dropped"] + ledger["unsent"] + ledger["lost"]
    outcomes = sum(ledger["outcomes"].values())
    assert ledger["sent"] == outcomes + ledger["in_flight"] + ledger["orphaned"]
    assert outcomes == sum(ledger["signatures"].values())
    assert ledger["in_flight"] == 0
    assert ledger["preflight"] == seen.preflight
    assert len(set(seen.numbers)) == len(seen.numbers), "a request was sent twice"
    assert ledger["sent_on_wire"] - unread <= len(seen.numbers) <= ledger["sent_on_wire"] + ledger["lost"]
    _every_window_once(world, report)
    return found


def _every_window_once(world: World, report: dict[str, Any]) -> None:
    """What the report counts is what the stored windows sum to, each key once."""
    store = Store(world.store)
    try:
        rows = list(store.windows_now(report["run"]["id"].removeprefix("runs/")))
    finally:
        store.close()
    assert len({(row.segment, row.epoch, row.sequence) for row in rows}) == len(rows)
    windows = [decode_window(row.body) for row in rows]
    on_wire = sum(load.sent_on_wire for window in windows for load in window.loads.values())
    answers = sum(count for window in windows for count in window.answers.values())
    assert report["ledger"]["sent_on_wire"] == on_wire
    assert sum(report["ledger"]["signatures"].values()) == answers


def last_s(seen: Seen) -> float:
    """Return when the target read its last request, seconds of the machine's monotonic clock."""
    return max(seen.times_s)


def _note(found: Account) -> None:
    names = ("scheduled", "due", "not_due", "sent", "sent_on_wire", "dropped", "unsent", "lost", "orphaned")
    outcomes = {name: count for name, count in found.ledger["outcomes"].items() if count}
    note(**{name: found[name] for name in names}, target=found.count, outcomes=outcomes)


def note(**figures: Any) -> None:
    """Add a test's figures to a table, for whoever asked for one with BURSTLINE_FAULTS_TABLE=FILE."""
    if path := os.environ.get("BURSTLINE_FAULTS_TABLE"):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].removesuffix(" (call)")
        with Path(path).open("a") as file:
            file.write(json.dumps({"test": test} | figures) + "\n")
