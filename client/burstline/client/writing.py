"""Files that commands write, and reports read back from files."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from burstline.client.errors import ClientError, UsageError

SCHEMA = "burstline.report/v1"


def json_bytes(document: dict[str, Any]) -> bytes:
    """Return a document as indented JSON that ends its last line."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def check_writable(*paths: Path | None) -> None:
    """Raise UsageError unless each file can be written; called before anything is sent."""
    for path in paths:
        if path is None or str(path) == "-":
            continue
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name a file")
        if not path.parent.is_dir():
            raise UsageError(
                f"{path} cannot be written: there is no folder {path.parent}; make it, or name another file"
            )
        try:
            with path.open("ab"):
                pass
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def write_files(files: Sequence[tuple[Path | None, bytes]], remedy: str) -> None:
    """Write each content to its file; `-` is standard output, None is nowhere.

    Args:
        files: where and what.
        remedy: what the user can do when a file cannot be written, ends the sentence.

    Raises:
        ClientError: a file cannot be written, for example because the disk is full.
    """
    for path, content in files:
        if path is None:
            continue
        try:
            if str(path) == "-":
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
            else:
                path.write_bytes(content)
        except OSError as error:
            raise ClientError(f"{path} cannot be written: {error.strerror}; {remedy}") from error


def read_report(path: Path) -> dict[str, Any]:
    """Return a report that `--json` wrote.

    Raises:
        UsageError: there is no such file, or it holds no report.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON; allowed: a report as `burstline run PLAN --json FILE` writes") from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != SCHEMA:
        raise UsageError(
            f'{path} has the schema "{found}"; allowed: {SCHEMA}, as `burstline run PLAN --json FILE` writes'
        )
    return dict(document)
