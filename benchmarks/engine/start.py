"""From the start of `burstline run` (embedded server and worker) to the first request at the target.

As on any second start: the modules' bytecode is there (pip writes it when it installs), in a folder of its own here, so
that a checkout whose environment forbids writing bytecode measures the same as an installed package.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.machine import go_first
from benchmarks.engine.target import Target, target

PLAN = {
    "name": "start",
    "requests": [{"name": "quote", "get": "/quote?sku=1"}],
    "load": [{"name": "all", "for": "0.2s", "rate": 50}],
}


def _first(to: Target, bytecode: str, realtime: bool, runs: list[float]) -> float:
    """Return the seconds until the first request (the preflight's) came in; adds those until the run's first."""
    to.behave()
    with tempfile.TemporaryDirectory(prefix="burstline-benchmark-") as folder:
        file = Path(folder) / "plan.yaml"
        file.write_text(json.dumps({**PLAN, "target": {"url": to.url}}))
        homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), folder)
        environment = {**os.environ, **homes, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
        began_s = time.monotonic()
        command = [str(Path(sys.executable).with_name("burstline")), "run", str(file), "--yes", "--quiet"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            cwd=folder,
            preexec_fn=go_first if realtime else None,
        )
    arrivals = to.seen().arrivals_s
    if len(arrivals) < 11:
        raise RuntimeError(f"exit code {done.returncode}, {len(arrivals)} requests: {done.stderr[-300:]}")
    runs.append(float(arrivals[1] - began_s))
    return float(arrivals[0] - began_s)


def measure(options: Options) -> list[Row]:
    """Return the row."""
    runs: list[float] = []
    with ExitStack() as stack:
        options = stack.enter_context(exact(options))
        to = stack.enter_context(target(realtime=options.realtime))
        bytecode = stack.enter_context(tempfile.TemporaryDirectory(prefix="burstline-bytecode-"))
        _first(to, bytecode, options.realtime, [])
        found = rounds(options, {"burstline": partial(_first, to, bytecode, options.realtime, runs)})["burstline"]
    text = f"{spread(found, 2)} to the first request (the preflight's), {spread(runs, 2)} to the run's first"
    return [Row("start of the command to first request, s", "< 0.6", text, "", median(found) < 0.6)]


if __name__ == "__main__":
    alone(measure)
