"""What every row needs: options, rounds that take turns, medians, spreads, ratios."""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.engine.machine import awake, find


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    Attributes:
        rounds: how often each contender has its turn.
        seconds: how long one measurement lasts.
        realtime: generator and target go before whatever else runs on their cores, where the system lets us.
        quick: short, small and without peers: to see that the benchmark runs.
        programs: peer -> path, of those that are there.
    """

    rounds: int = 5
    seconds: float = 2.0
    realtime: bool = False
    quick: bool = False
    programs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        what: is measured.
        goal: of the project.
        found: of burstline.
        others: what the peers did.
        reached: whether the goal is; None if nothing here could say.
    """

    what: str
    goal: str
    found: str
    others: str = ""
    reached: bool | None = None


Measurement = Callable[[], float]


def rounds(options: Options, contenders: Mapping[str, Measurement]) -> dict[str, list[float]]:
    """Let the contenders take turns, and return each one's measurements; what cannot be measured is left out."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, measure in contenders.items():
            try:
                value = measure()
            except (OSError, RuntimeError, ValueError) as error:
                print(f"    round {number + 1}: {name} could not be measured: {error}", file=sys.stderr)
                continue
            found[name].append(value)
            print(f"    round {number + 1}: {name:12} {value:,.6g}", flush=True)
    return {name: values for name, values in found.items() if values}


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return statistics.median(values) if values else float("nan")


def spread(values: Sequence[float], digits: int = 0, factor: float = 1.0) -> str:
    """Return "median (lowest to highest)"."""
    low, mid, high = (f"{factor * value:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{mid} ({low} to {high})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the paired ratios ours / theirs."""
    return median([one / other for one, other in zip(ours, theirs, strict=False) if other])


def parser() -> argparse.ArgumentParser:
    """Return the options that all rows share."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--rounds", type=int, default=5, help="turns of each contender (5)")
    made.add_argument("--seconds", type=float, default=1.5, help="length of one measurement (1.5)")
    made.add_argument("--quick", action="store_true", help="short, small, without peers: does it run?")
    made.add_argument("--cache", default="", help="folder with a venv that has locust, and npm's node_modules")
    made.add_argument("--peers", default="", help="only these, with commas between; all that are there unless given")
    for name in ("k6", "vegeta", "wrk2"):
        made.add_argument(f"--{name}", default="", help=f"path of {name}")
    return made


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the options, with the peers that are there."""
    cache = Path(arguments.cache or Path(tempfile.gettempdir()) / "burstline-benchmark-peers")
    inside = {
        "locust": cache / "venv" / "bin" / "locust",
        "autocannon": cache / "node_modules" / ".bin" / "autocannon",
        "artillery": cache / "node_modules" / ".bin" / "artillery",
    }
    found = {name: str(path) for name, path in inside.items() if os.access(path, os.X_OK)}
    found |= {name: find(name) for name in ("wrk", "hey", "ab")}
    found |= {name: find(name, getattr(arguments, name)) for name in ("k6", "vegeta", "wrk2")}
    asked = set(filter(None, arguments.peers.split(",")))
    chosen = {name: path for name, path in found.items() if path and (not asked or name in asked)}
    programs = {} if arguments.quick else chosen
    return Options(arguments.rounds, arguments.seconds, quick=arguments.quick, programs=programs)


def alone(measure: Callable[[Options], Sequence[Row]]) -> None:
    """Run one row from the command line and print it."""
    for row in measure(options_of(parser().parse_args())):
        print(
            f"{row.what}\n  goal:   {row.goal}\n  found:  {row.found}\n  others: {row.others}\n  reached: {row.reached}"
        )


@contextmanager
def exact(options: Options) -> Iterator[Options]:
    """Give the options for rows that judge by milliseconds: cores that are awake, and nobody before those measured.

    Linux bounds such processes to 95 % of a core, so that is what a highest rate is of.
    """
    if options.quick:
        yield options
        return
    with awake():
        yield replace(options, realtime=True)
