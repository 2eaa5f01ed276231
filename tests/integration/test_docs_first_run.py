"""The first run of the docs, typed as it stands there, by a shell with an empty home."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from faults.processes import Child, until
from ports import free_port

PAGE = Path(__file__).parents[2] / "docs" / "first-run.md"
BLOCK = re.compile(r"^ *```sh run(?P<how>[^\n]*)\n(?P<text>.*?)^ *```", re.M | re.S)


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    command = tmp_path / "bin" / "burstline"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m burstline.client "$@"\n')
    command.chmod(0o755)
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "BURSTLINE_SERVER": ""}
    return {**os.environ, **home, "PATH": f"{command.parent}:{os.environ['PATH']}", "COLUMNS": "100"}


@pytest.mark.timeout(300)  # it runs seven commands one after the other
def test_the_first_run_works_as_the_docs_say(tmp_path: Path, shell: dict[str, str]) -> None:
    page = PAGE.read_text(encoding="utf-8").replace("7462", str(free_port()))
    blocks = [(match["how"].split(), textwrap.dedent(match["text"])) for match in BLOCK.finditer(page)]
    assert len(blocks) == 8
    background: list[Child] = []
    try:
        for how, text in blocks:
            if "background" in how:
                words = text.strip().removeprefix("burstline ").split()
                words = [str(tmp_path / word) if word.endswith(".yaml") else word for word in words]
                child = Child([sys.executable, "-m", "burstline.client", *words], tmp_path / "emulator.log", shell)
                background.append(child)
                until(lambda child=child: "listening" in child.said(), 20.0, "the practice AWS listens")  # type: ignore[misc]
                continue
            allowed = next((word.removeprefix("exit=").split("|") for word in how if word.startswith("exit=")), ["0"])
            ended = subprocess.run(
                ["sh", "-e", "-c", text], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=60
            )
            assert str(ended.returncode) in allowed, text + ended.stdout + ended.stderr
    finally:
        for child in background:
            child.end()
    for name in ("over.json", "over.html", "seconds.csv", "result.xml"):
        assert (tmp_path / name).stat().st_size > 100
