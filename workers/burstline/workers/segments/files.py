"""Uploaded files on a worker: fetched once, kept by SHA-256 in a folder of this process's own."""

import csv
import hashlib
import io
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from burstline.core.load.plan import DataFile, DataFormat
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.templating import Row

LARGEST_BYTES = 256 << 20

Download = Callable[[str], AsyncIterator[bytes]]
"""Streams a file by its SHA-256."""


class FileCache:
    """Files by SHA-256, on disk; `close` removes them.

    Args:
        download: streams one from the server.
    """

    def __init__(self, download: Download) -> None:
        self._download = download
        self._folder = tempfile.TemporaryDirectory(prefix="burstline-worker-")

    async def fetch(self, sha256: str) -> bytes:
        """Return a file's bytes, from disk if they are there.

        Raises:
            CannotPrepare: it is too large, or not what its name says.
        """
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise CannotPrepare(f"{sha256!r} is not a SHA-256 in lower-case hex")
        path = Path(self._folder.name) / sha256
        if path.exists():
            return path.read_bytes()
        content = bytearray()
        async for piece in self._download(sha256):
            content += piece
            if len(content) > LARGEST_BYTES:
                raise CannotPrepare(f"the file {sha256[:12]}... is larger than {LARGEST_BYTES >> 20} MiB")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CannotPrepare(f"the file {sha256[:12]}... arrived with another content")
        path.write_bytes(content)
        return bytes(content)

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


def read_rows(data: DataFile, content: bytes) -> list[Row]:
    """Return the rows of a data file.

    Raises:
        CannotPrepare: it cannot be read, or has no rows; the text names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotPrepare(f"the data file is not UTF-8: byte {error.start}") from error
    rows: list[Row] = _csv_rows(text) if data.format is DataFormat.CSV else _json_rows(text)
    if not rows:
        raise CannotPrepare("the data file has no rows")
    return rows


def _csv_rows(text: str) -> list[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows: list[Row] = []
    for row in reader:
        if None in row or None in row.values():
            raise CannotPrepare(f"the data file's line {reader.line_num} has not as many fields as its header")
        rows.append(row)
    return rows


def _json_rows(text: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CannotPrepare(f"the data file's line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise CannotPrepare(f"the data file's line {number} is not a JSON object")
        rows.append(row)
    return rows


def check_columns(rows: list[Row], names: frozenset[str]) -> None:
    """Check that every row has what the templates need.

    Raises:
        CannotPrepare: one lacks a name.
    """
    for number, row in enumerate(rows, 1):
        missing = names - row.keys()
        if missing:
            raise CannotPrepare(f"row {number} of the data file has no {', '.join(sorted(missing))}")
