"""The search for the highest rate that holds: its error, and its requests against those of a linear ramp.

    python benchmarks/find.py [--count 60] [--seed N]

The ramp goes up in steps of 5 % of the truth, each held for 10 s, until the account first throttles it. Everything is
virtual time, through recorder, judging and report. Without --seed the accounts are fresh; the seed is printed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scenarios"))

from burstline.core.quota.search.answer import Unanswerable
from search_cases import Searched, searched


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="accounts (60)")
    parser.add_argument("--seed", type=int, help="base seed; fresh from the system unless given")
    options = parser.parse_args()
    base = options.seed if options.seed is not None else int.from_bytes(os.urandom(5), "big") + 1_000_000
    print(f"base seed {base}")
    started_s = time.perf_counter()
    results: list[Searched] = []
    for index in range(options.count):
        try:
            one = searched(base + index)
        except Unanswerable as reason:
            print(f"{base + index}: no answer: {reason}", flush=True)
            continue
        results.append(one)
        found, case = one.found, one.case
        burst = "-" if found.burst is None else f"{found.burst:.0f}"
        law = found.family.value if found.family else "nothing"
        flag = "" if abs(one.error) <= 0.02 and one.share <= 1 / 3 and law == case.family.value else "  <--"
        print(
            f"{case.seed:>14} {case.about:<40} truth {case.rate_per_s:9.1f}  found {found.rate_per_s:9.1f} "
            f"({one.error:+.2%})  {law:<16} burst {burst:>6}  {found.probe_count:>2} probes  "
            f"{found.request_count:>7,} of {one.ramp_count:>8,} requests ({one.share:.0%}){flag}",
            flush=True,
        )
    _print_sums(results, options.count, time.perf_counter() - started_s)


def _print_sums(results: list[Searched], count: int, took_s: float) -> None:
    errors = sorted(abs(one.error) for one in results)
    shares = sorted(one.share for one in results)
    families = sum(one.found.family is one.case.family for one in results)
    within = sum(error <= 0.02 for error in errors)
    print(f"\nanswered {len(results)}/{count}; law right {families}/{count}; within 2 % {within}/{count}")
    print(f"at most a third of the ramp's requests {sum(share <= 1 / 3 for share in shares)}/{count}")
    if results:
        middle = len(results) // 2
        print(f"error: median {errors[middle]:.2%}, largest {errors[-1]:.2%}")
        print(f"share of the ramp's requests: median {shares[middle]:.0%}, largest {shares[-1]:.0%}")
    print(f"{took_s:.0f} s")


if __name__ == "__main__":
    main()
