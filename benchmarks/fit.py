"""How well the fit finds hidden accounts: truth, estimate and interval per account, and a table per kind.

    python benchmarks/fit.py [--count 120] [--seed N] [--kind NAME] [--verbose]

Without --seed the accounts are fresh: their base seed is drawn from the operating system, and printed.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scenarios"))

from fit_scores import Score, score_of
from hidden_kinds import EXTRA_KINDS, KINDS


@dataclass
class Row:
    """Sums over the accounts of a kind."""

    accounts: int = 0
    right: int = 0
    unknown: int = 0
    numbers: dict[str, list[tuple[float, bool, bool]]] = field(default_factory=dict)
    counts: list[tuple[bool, bool]] = field(default_factory=list)
    fit_s: float = 0.0

    def add(self, score: Score) -> None:
        """Add one account."""
        self.accounts += 1
        self.right += score.family_right
        self.unknown += score.unknown
        self.fit_s += score.fit_s
        if score.throttled_truth:
            self.counts.append((score.count_right, score.ambiguous))
        for number in score.numbers:
            self.numbers.setdefault(number.parameter, []).append((number.error, number.within_goal, number.covered))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=120, help="accounts of the mix (120)")
    parser.add_argument("--extra", type=int, default=20, help="accounts of each further kind (20)")
    parser.add_argument("--seed", type=int, help="base seed; fresh from the system unless given")
    parser.add_argument("--kind", help="only this kind")
    parser.add_argument("--verbose", action="store_true", help="print every account, not only those off")
    options = parser.parse_args()
    base = options.seed if options.seed is not None else int.from_bytes(os.urandom(5), "big") + 1_000_000
    print(f"base seed {base}")
    rows: dict[str, Row] = {}
    started_s = time.perf_counter()
    for kind, seed in _accounts(options, base):
        score = score_of(seed, kind)
        rows.setdefault(score.kind, Row()).add(score)
        if options.verbose or not score.good:
            print(score.text())
    _print_table(rows)
    print(f"{sum(row.accounts for row in rows.values())} accounts in {time.perf_counter() - started_s:.0f} s")


def _accounts(options: argparse.Namespace, base: int) -> Iterator[tuple[str | None, int]]:
    if options.kind:
        yield from ((options.kind, base + index) for index in range(options.count))
        return
    yield from ((None, base + index) for index in range(options.count))
    for kind in EXTRA_KINDS:
        if kind not in KINDS:
            yield from ((kind, base + index) for index in range(options.extra))


def _print_table(rows: dict[str, Row]) -> None:
    print()
    head = f"{'kind':<24}{'accounts':>9}{'family':>8}{'unknown':>8}{'parameter':>13}{'in goal':>10}{'covered':>10}"
    print(f"{head}{'median err':>12}{'count 1 %':>11}{'fit s':>7}")
    total = Row()
    for kind, row in sorted(rows.items()):
        counted = f"{sum(ok for ok, _ in row.counts)}/{len(row.counts)}"
        first = True
        for parameter, numbers in row.numbers.items() or [("", [])]:
            errors = sorted(abs(error) for error, _, _ in numbers)
            goal, covered = sum(g for _, g, _ in numbers), sum(c for _, _, c in numbers)
            left = f"{kind:<24}{row.accounts:>9}{row.right:>8}{row.unknown:>8}" if first else " " * 49
            print(
                f"{left}{parameter:>13}{f'{goal}/{len(numbers)}':>10}{f'{covered}/{len(numbers)}':>10}"
                f"{errors[len(errors) // 2] if errors else 0:>12.4%}"
                + (f"{counted:>11}{row.fit_s / row.accounts:>7.2f}" if first else "")
            )
            first = False
        if not kind.startswith(("best effort", "window", "bursts")):
            total.accounts += row.accounts
            total.right += row.right
            total.unknown += row.unknown
            total.counts += row.counts
            for parameter, numbers in row.numbers.items():
                total.numbers.setdefault(parameter, []).extend(numbers)
    everything = [number for numbers in total.numbers.values() for number in numbers]
    print(f"\nthe mix: family right {total.right}/{total.accounts} (unknown {total.unknown})")
    for parameter, numbers in sorted(total.numbers.items()):
        print(f"  {parameter:<12} within its goal {sum(g for _, g, _ in numbers)}/{len(numbers)}")
    print(f"  intervals that hold the truth {sum(c for _, _, c in everything)}/{len(everything)}")
    vague = [ok for ok, ambiguous in total.counts if ambiguous]
    print(f"  throttled count within 1 %: {sum(ok for ok, _ in total.counts)}/{len(total.counts)}", end="")
    print(f", of those with errors that look like it {sum(vague)}/{len(vague)}")


if __name__ == "__main__":
    main()
