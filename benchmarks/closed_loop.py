"""Run, apply the advice, run again: on seeded random accounts in virtual time.

    python benchmarks/closed_loop.py [--count 110] [--seed N] [--verbose]

Without --seed the accounts are fresh: their base seed is drawn from the operating system, and printed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scenarios"))

from closed_loop import Loop, close_loop
from loop_accounts import KINDS


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=110, help="accounts (110)")
    parser.add_argument("--seed", type=int, help="base seed; fresh from the system unless given")
    parser.add_argument("--verbose", action="store_true", help="print every account, not only those off")
    options = parser.parse_args()
    base = options.seed if options.seed is not None else int.from_bytes(os.urandom(5), "big") + 1_000_000
    print(f"base seed {base}")
    started_s = time.perf_counter()
    loops = []
    for index in range(options.count):
        loop = close_loop(base + index)
        loops.append(loop)
        if options.verbose or _is_off(loop):
            print(loop, flush=True)
    _print_table(loops)
    print(f"{len(loops)} accounts in {time.perf_counter() - started_s:.0f} s")


def _is_off(loop: Loop) -> bool:
    lacking = any(not count for _, _, count in loop.short) or loop.short_plan == 0
    return bool(loop.same or loop.fresh or loop.unverified or lacking)


def _print_table(loops: Sequence[Loop]) -> None:
    print(f"\n{'kind':<22}{'accounts':>9}{'throttled':>10}{'advised':>9}{'plan':>6}", end="")
    print(f"{'same: none':>12}{'fresh: none':>13}{'x 0.9: some':>13}{'plan x 0.9':>12}")
    for kind in (*KINDS, "all"):
        mine = [loop for loop in loops if kind in (loop.kind, "all")]
        short = [count > 0 for loop in mine for _, _, count in loop.short]
        plans = [loop.short_plan > 0 for loop in mine if loop.short_plan is not None]
        print(
            f"{kind:<22}{len(mine):>9}{_count(mine, lambda one: one.first > 0):>10}"
            f"{_count(mine, lambda one: bool(one.quotas)):>9}{_count(mine, lambda one: one.changed):>6}"
            f"{f'{_count(mine, lambda one: not one.same)}/{len(mine)}':>12}"
            f"{f'{_count(mine, lambda one: not one.fresh)}/{len(mine)}':>13}"
            f"{f'{sum(short)}/{len(short)}':>13}{f'{sum(plans)}/{len(plans)}':>12}"
        )


def _count(loops: Sequence[Loop], holds: Callable[[Loop], bool]) -> int:
    return sum(holds(loop) for loop in loops)


if __name__ == "__main__":
    main()
