"""The commands that README, docs and help texts have written down."""

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
from burstline.client.cli import COMMANDS, cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```(?P<kind>[^\n]*)\n(?P<text>.*?)^ *```", re.M | re.S)


def written_commands() -> Iterator[tuple[str, str]]:
    """Yield where and what: lines of code, `code` in a sentence with at least one option, examples of --help."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        code = "\n".join(re.sub(r"\\\n\s*", "", block["text"]) for block in BLOCK.finditer(text))
        lines = re.findall(r"^\s*(?:- run: |run: |- )?(burstline [^\n]+)", code, re.MULTILINE)
        yield from ((page.name, line) for line in lines)
        yield from ((page.name, line) for line in re.findall(r"`(burstline [a-z-]+ [^`\n]+)`", text))
    for name in ("", *COMMANDS):
        command = cli.get_command(click.Context(cli), name) if name else cli
        assert command is not None
        epilog = re.sub(r"\\\n\s*", "", command.epilog or "")
        yield from ((f"{name} --help", line) for line in re.findall(r"^\s*(burstline [^\n]+)", epilog, re.M))


def shell_lines() -> Iterator[tuple[str, str]]:
    """Yield where and what: the lines of shell blocks that are no command of ours; here-documents are left out."""
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if block["kind"].split()[:1] in ([], ["sh"]):
                joined = re.sub(r"\\\n\s*", "", textwrap.dedent(block["text"]))
                text = re.sub(r"<<'END'\n.*?\nEND", "", joined, flags=re.S)
                lines = (line.split(" #")[0].strip() for line in text.splitlines())
                yield from ((page.name, line) for line in lines if line and not line.startswith("burstline "))


def spoken(line: str) -> list[str]:
    """Return a line's arguments: without comments, redirections, pipes, and the brackets of an optional part."""
    words = shlex.split(re.sub(r"\$\{\{.*?\}\}", "x", line), comments=True)[1:]
    for mark in ("|", ">", "&", "&&"):
        if mark in words:
            words = words[: words.index(mark)]
    return words
