"""The closed loop's quick part: run, apply the advice, run again, on fixed seeds of kinds that differ."""

import pytest
from closed_loop import close_loop
from loop_accounts import KINDS


def seed_of(kind: str) -> int:
    return list(KINDS).index(kind)


@pytest.mark.parametrize(
    "kind", ["stage", "account rate", "account burst", "reserved", "account concurrency", "10x rule", "legacy scaling"]
)
def test_what_is_advised_lets_everything_through_and_a_tenth_less_does_not(kind: str) -> None:
    loop = close_loop(seed_of(kind))
    assert loop.kind == kind
    assert loop.first > 0
    assert loop.same == 0
    assert loop.fresh == 0
    assert not loop.unverified
    assert all(throttled > 0 for _, _, throttled in loop.short)


def test_where_no_quota_can_be_raised_the_plan_changes_and_the_changed_plan_passes() -> None:
    for kind in ("account burst", "legacy scaling"):
        loop = close_loop(seed_of(kind) + len(KINDS))
        assert loop.changed
        assert loop.same == 0
