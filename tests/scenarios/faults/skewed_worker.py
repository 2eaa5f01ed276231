"""A worker whose clocks are wrong, for scenarios: `burstline work` with other hands on the clock.

    python skewed_worker.py --wall SECONDS --drift PPM --server HOST:PORT

The wall clock is `--wall` seconds off. The monotonic clock runs `--drift` millionths too fast, for everything that the
worker reads or waits for: timers are armed at instants of the wrong clock, and set back to the machine's.
"""

import argparse
import time

from burstline.workers.processes import run_worker_processes
from burstline.workers.sending import timer
from burstline.workers.settings import AgentSettings


def skew_wall(by_s: float) -> None:
    """Set the wall clock off."""
    wall, wall_ns = time.time, time.time_ns
    time.time = lambda: wall() + by_s
    time.time_ns = lambda: wall_ns() + round(by_s * 1e9)


def drift(by_ppm: float) -> None:
    """Let the monotonic clock run too fast, from now on."""
    monotonic, monotonic_ns = time.monotonic, time.monotonic_ns
    start_s, rate = monotonic(), 1.0 + by_ppm * 1e-6
    start_ns = monotonic_ns()
    time.monotonic = lambda: start_s + (monotonic() - start_s) * rate
    time.monotonic_ns = lambda: start_ns + round((monotonic_ns() - start_ns) * rate)

    class DriftingTimer(timer.FileTimer):
        """Armed at an instant of the wrong clock."""

        def arm(self, at_s: float) -> None:
            """Arm at that instant of the machine's clock."""
            super().arm(start_s + (at_s - start_s) / rate)

    timer.FileTimer = DriftingTimer  # type: ignore[misc]  # the seam: `open_timer` takes it from here


def main() -> None:
    """Work with wrong clocks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--wall", type=float, default=0.0)
    parser.add_argument("--drift", type=float, default=0.0)
    parser.add_argument("--server", required=True)
    options = parser.parse_args()
    skew_wall(options.wall)
    drift(options.drift)
    raise SystemExit(run_worker_processes(AgentSettings(options.server), 1))


if __name__ == "__main__":
    main()
