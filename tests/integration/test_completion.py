"""Completion in the shells themselves, with the line that the docs give for their start-up files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = {
    "bash": (
        "bash", "--noprofile", "--norc", "-c",
        'eval "$(_BURSTLINE_COMPLETE=bash_source burstline)"; complete -p burstline;'
        'COMP_WORDS=({words}); COMP_CWORD={at}; _burstline_completion burstline; printf "%s\\n" "${{COMPREPLY[@]}}"',
    ),
    "zsh": (
        "zsh", "-f", "-c",
        'autoload -U compinit; compinit -u -D; eval "$(_BURSTLINE_COMPLETE=zsh_source burstline)";'
        "echo $_comps[burstline];"
        '_describe() {{ print -l -- ${{(P)3}} }}; compadd() {{ print -l -- ${{(P)argv[-1]}} }};'
        "words=({words}); CURRENT={at}+1; _burstline_completion",
    ),
}  # fmt: skip
"""Shell -> how it is asked to complete the word number `at` of a line, counted from 0."""


@pytest.mark.parametrize(
    ("words", "at", "offered"),
    [("burstline com", 1, "compare"), ("burstline run --jso", 2, "--json"), ("burstline runs --sta", 2, "--state")],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_completes(shell: str, words: str, at: int, offered: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "burstline"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m burstline.client "$@"\n')
    command.chmod(0o755)
    *start, script = SHELLS[shell]
    ended = subprocess.run(
        [*start, script.format(words=words, at=at)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    first, *rest = ended.stdout.splitlines()
    assert "_burstline_completion" in first, ended.stderr
    assert [line.split(":")[0].strip() for line in rest] == [offered]
