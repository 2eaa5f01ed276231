"""Whole runs as a user makes them: the practice AWS, server and workers as processes of their own, and the report."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

BURSTLINE = [sys.executable, "-m", "burstline.client"]
GENERATOR_LIMITED = 4
TRIES = 3


@dataclass(frozen=True, slots=True)
class Practised:
    """A run's report, and what the practice AWS counted of it.

    Attributes:
        report: `burstline.report/v1`.
        throttled_count: by its own count, of that run alone.
    """

    report: dict[str, Any]
    throttled_count: int

    def fits(self, family: str, parameter: str) -> list[tuple[float, float, float]]:
        """Return value and interval of each fit of one parameter, in order of time."""
        return [
            (fit["value"], fit["low"], fit["high"])
            for fit in self.report["fits"]
            if fit["family"] == family and fit["parameter"] == parameter
        ]


def practise(folder: Path, plan: str, account: str, *more: str) -> Practised:
    """Run a plan that knows nothing of the account against it; again, up to twice, where this machine was the limit.

    Args:
        folder: empty; home of all processes.
        plan: YAML.
        account: YAML, the truth.
        more: options of `burstline run`.

    Raises:
        AssertionError: the command failed.
    """
    (folder / "plan.yaml").write_text(plan)
    (folder / "account.yaml").write_text(account)
    env = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    env.pop("BURSTLINE_SERVER", None)
    ended, throttled_count = _once(folder, env, more)
    for _ in range(TRIES - 1):
        if ended.returncode == GENERATOR_LIMITED:
            ended, throttled_count = _once(folder, env, more)
    if ended.returncode == GENERATOR_LIMITED:
        pytest.skip("this machine is busy with other things: every run was generator_limited, and says nothing of fits")
    assert ended.returncode in (0, 3), ended.stderr
    report: dict[str, Any] = json.loads((folder / "r.json").read_text())
    return Practised(report, throttled_count)


def _once(folder: Path, env: dict[str, str], more: tuple[str, ...]) -> "tuple[subprocess.CompletedProcess[str], int]":
    """Run the command against a fresh practice AWS; return how it ended, and what was throttled there."""
    with _emulating(folder, env) as target:
        command = [*BURSTLINE, "run", "plan.yaml", "--target", target, "--json", "r.json", "--yes", *more]
        ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100)
        with urlopen(f"{target.rpartition('/')[0]}/_burstline/stats", timeout=5) as answer:
            return ended, int(json.load(answer)["requests"]["throttled"])


@contextmanager
def _emulating(folder: Path, env: dict[str, str]) -> Iterator[str]:
    command = [*BURSTLINE, "emulate", "--account", "account.yaml", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=15)
