"""The benchmarks of the engine run: short, without peers, and without a word about times."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.engine", "--quick", "--rounds", "1", "--seconds", "0.5", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "could not be measured" not in done.stdout + done.stderr
    return done.stdout


def test_every_row_without_a_process_of_its_own_measures_something() -> None:
    text = run("throughput", "tls", "recording", "signing")
    assert text.count("goal") == 4
    assert re.search(r"found +250 sent", text), "500/s for half a second, each sent"


def test_the_rows_on_pacing_bursts_and_memory_measure_something() -> None:
    text = run("pacing", "burst", "memory")
    assert "a burst of 800 in 50 ms" in text
    assert "memory with 200 requests in flight" in text
    assert text.count("reached") == 3


def test_an_unknown_row_is_named() -> None:
    command = [sys.executable, "-m", "benchmarks.engine", "--quick", "pace"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 2
    assert "no such row: pace" in done.stderr


def test_a_row_replaces_the_one_of_its_name_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.engine.__main__ import write
    from benchmarks.engine.bench import Row

    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- table -->\n<!-- end of table -->\nafter\n")
    write(page, [Row("a | b", "1", "2"), Row("c", "3", "4", "a peer: 5", False)])
    write(page, [Row("a | b", "1", "7", reached=True)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert re.search(r"\| a / b \| 1 \| 7 \| - \| yes \|", text)
    assert re.search(r"\| c \| 3 \| 4 \| a peer: 5 \| no \|", text)
    assert "| 2 |" not in text
