"""How far the forecast can be trusted, and how fast it is.

    python benchmarks/forecast.py [--count 105] [--seed N] [--verbose] [--skip-speed]

Prints, per kind of case: how many of them lie inside the exact solver's intervals (total and first throttle together)
and inside the fluid solver's; the relative error of the total and the error of the first throttle; how often the two
solvers' intervals overlap. Then the speed of both, and the memory of a fleet of 200 functions at 1,000,000 requests/s.
Truth is the admission model itself with random numbers of its own. Without --seed the cases are fresh.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "scenarios"))

from burstline.core.load.plan import Arrivals, Bursts, Constant, Phase, Ramp, Sine
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.forecast.exact import ExactSolver
from burstline.core.quota.forecast.fluid import FluidSolver
from burstline.core.quota.forecast.forecasting import forecast
from burstline.core.quota.forecast.loads import ForecastInput, Load
from burstline.core.quota.forecast.records import NEVER, Forecast, Interval
from burstline.core.quota.quotas import Account, Bucket, Function, ServiceTime
from forecast_cases import KINDS, SHARP, Case, Truth, case, holds, truth


@dataclass
class Row:
    """Sums over the cases of a kind."""

    cases: int = 0
    exact_inside: int = 0
    fluid_inside: int = 0
    overlapping: int = 0
    exact_errors: list[float] = field(default_factory=list)
    fluid_errors: list[float] = field(default_factory=list)
    exact_late_s: list[float] = field(default_factory=list)
    fluid_late_s: list[float] = field(default_factory=list)

    def add(self, exact: Forecast, fluid: Forecast, met: Truth, known: bool) -> None:
        """Add one case; errors count where the arrivals are `known`, as they are of a plan with its seed."""
        self.cases += 1
        self.exact_inside += holds(exact, met)
        self.fluid_inside += holds(fluid, met)
        both = overlap(exact.throttled_count, fluid.throttled_count)
        self.overlapping += both and overlap(exact.first_throttle_s, fluid.first_throttle_s)
        if met.throttled_count and known:
            self.exact_errors.append(abs(exact.throttled_count.mid / met.throttled_count - 1))
            self.fluid_errors.append(abs(fluid.throttled_count.mid / met.throttled_count - 1))
            for found, errors in ((exact, self.exact_late_s), (fluid, self.fluid_late_s)):
                if found.first_throttle_s.mid < NEVER:
                    errors.append(abs(found.first_throttle_s.mid - met.first_s))


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals have a value in common."""
    return one.low <= other.high and other.low <= one.high


def fleet() -> tuple[ForecastInput, Account]:
    """Return 200 functions behind 20 stages: 1,000,000 requests/s for one hour, with ramp, wave and bursts."""
    functions, loads = {}, []
    for i in range(200):
        name, p50_s = f"f{i}", (0.02, 0.05, 0.1, 0.3, 1.0)[i % 5]
        duration = ServiceTime(p50_s, p50_s * (1, 3, 5)[i % 3])
        reserved, provisioned = (2000 if i % 10 == 0 else None), (100 if i % 7 == 0 else 0)
        functions[name] = Function(name, reserved, provisioned, duration, init_s=0.3, memory_mb=256, timeout_s=10.0)
        arrivals = Arrivals.POISSON if i % 2 else Arrivals.EVEN
        phases = (
            Phase("ramp", 600, Ramp(4000, 6000), arrivals),
            Phase("hold", 1200, Constant(5000), arrivals),
            Phase("wave", 1200, Sine(5000, 1500, 400), arrivals),
            Phase("bursts", 600, Bursts(10_000, 20, 0.5, 4500), arrivals),
        )
        loads.append(Load(phases, (Call(name, f"s{i % 20}"),), seed=i))
    stages = {f"s{i}": Bucket(52_000, 10_000) for i in range(20)}
    account = Account(gateway=Bucket(950_000, 500_000), stages=stages, concurrency=330_000, functions=functions)
    return ForecastInput(tuple(loads)), account


def measure(count: int, base: int, verbose: bool) -> None:
    """Print the table of coverage and errors."""
    rows = {kind: Row() for kind in KINDS}
    for number in range(count):
        asked: Case = case(KINDS[number % len(KINDS)], base + number)
        met = truth(asked, base + number)
        exact = forecast(asked.asked, asked.account, seed=number, solver=ExactSolver())
        fluid = forecast(asked.asked, asked.account, seed=number, solver=FluidSolver())
        known = asked.asked.fixed or asked.asked.loads[0].phases[0].arrivals is Arrivals.EVEN
        rows[asked.kind].add(exact, fluid, met, known)
        if verbose:
            print(asked.kind, asked.seed, met, _shown(exact), _shown(fluid), holds(exact, met), holds(fluid, met))
    print("Errors are those of cases whose arrivals are known (even, or Poisson by the plan's seed).")
    print(f"{'kind':12} cases  inside: exact fluid overlap   error of total, median / worst   of first throttle, worst")
    for kind, row in rows.items():
        print(
            f"{kind:12} {row.cases:5} {row.exact_inside:14} {row.fluid_inside:5} {row.overlapping:7}   "
            f"exact {_errors(row.exact_errors)} fluid {_errors(row.fluid_errors)}   "
            f"exact {max(row.exact_late_s, default=0):.3f} s fluid {max(row.fluid_late_s, default=0):.3f} s"
            f"{'   (goal 3 %, 0.5 s)' if kind in SHARP else ''}"
        )
    cases = sum(row.cases for row in rows.values())
    inside = [
        sum(getattr(row, name) for row in rows.values()) for name in ("exact_inside", "fluid_inside", "overlapping")
    ]
    print(f"{'all':12} {cases:5} {inside[0]:14} {inside[1]:5} {inside[2]:7}   (goal: at least 85 % inside)\n")


def speed() -> None:
    """Print how long the exact solver takes for its largest plan, and the fluid solver for the fleet."""
    function = {"f": Function("f", duration=ServiceTime(0.1, 0.3))}
    for name, concurrency in (("cap never reached", 100_000), ("cap overloaded", 700)):
        load = Load((Phase("only", 280, Constant(10_700)),), (Call("f", "prod"),))
        account = Account(gateway=Bucket(1e6, 1e6), concurrency=concurrency, functions=function)
        start = time.perf_counter()
        found = forecast(ForecastInput((load,)), account, seed=1)
        took = time.perf_counter() - start
        print(f"exact, {found.request_count.mid:,.0f} requests, {name}: {took:.1f} s for {found.simulated_runs} runs")
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, "--fleet"], check=True)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"  ... {took:.1f} s with the start of Python, {peak:.0f} MiB at most (goal: 10 s, 1,024 MiB)")


def solve_fleet() -> None:
    """Forecast the fleet and say how long it took."""
    asked, account = fleet()
    start = time.perf_counter()
    found = forecast(asked, account, seed=1)
    took = time.perf_counter() - start
    print(f"{found.solver}, 200 functions, {found.request_count.mid:,.0f} requests: {took:.1f} s; {_shown(found)}")


def _errors(values: list[float]) -> str:
    return f"{median(values):6.2%} / {max(values):7.2%}" if values else "     -"


def _shown(found: Forecast) -> str:
    total, first = found.throttled_count, found.first_throttle_s
    return f"throttled {total.low:,.0f}..{total.high:,.0f}, from {first.low:.3f}..{first.high:.3f} s"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=105)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--skip-speed", action="store_true")
    parser.add_argument("--fleet", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.fleet:
        solve_fleet()
        return
    base = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(6), "big")
    print(f"{date.today()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"base seed {base}, {asked.count} cases\n")
    measure(asked.count, base, asked.verbose)
    if not asked.skip_speed:
        speed()


if __name__ == "__main__":
    main()
