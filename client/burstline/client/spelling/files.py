"""Files a plan names: data rows and bodies. Read once, for their hash, columns and mistakes."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_BYTES = 256 << 20
"""One uploaded file (design: DataService)."""

MAX_MISTAKES = 5
"""Wrong rows that are named; the rest would only repeat them."""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A file to upload: where it is, and the SHA-256 of its bytes in hex."""

    path: Path
    sha256: str


class BadFile(ValueError):
    """A file that cannot be used; `mistakes` has a sentence for each reason."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistakes))


def read_body(path: Path) -> PlanFile:
    """Read a body file. Raises BadFile."""
    return PlanFile(path, hashlib.sha256(_bytes(path)).hexdigest())


def read_rows(path: Path, kind: str) -> tuple[PlanFile, tuple[str, ...]]:
    """Read a data file of kind `csv` or `jsonl`; return it and its columns. Raises BadFile."""
    content = _bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadFile([f"{path.name} line {line} is not UTF-8 text"]) from error
    columns = _csv_columns(text, path.name) if kind == "csv" else _jsonl_columns(text, path.name)
    return PlanFile(path, hashlib.sha256(content).hexdigest()), columns


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadFile([f'"{path}" is not a file'])
        if size > MAX_FILE_BYTES:
            raise BadFile([f"{path.name} has {size} bytes; allowed: at most {MAX_FILE_BYTES}"])
        return path.read_bytes()
    except OSError as error:
        reason = "there is no such file" if error.errno == 2 else str(error.strerror)
        raise BadFile([f'"{path}" cannot be read: {reason}']) from error


def _csv_columns(text: str, name: str) -> tuple[str, ...]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    mistakes: list[str] = []
    try:
        columns = next(reader, [])
        if not columns:
            raise BadFile([f"{name} is empty; allowed: a header line and at least one row"])
        if any(not column.strip() for column in columns) or len(set(columns)) != len(columns):
            mistakes.append(f"{name} line 1: the header has empty or repeated names: {', '.join(columns)}")
        rows = 0
        for row in reader:
            if not row:
                continue
            rows += 1
            if len(row) != len(columns) and len(mistakes) < MAX_MISTAKES:
                mistakes.append(f"{name} line {reader.line_num}: found {len(row)} values; allowed: {len(columns)}")
    except csv.Error as error:
        raise BadFile([f"{name} line {reader.line_num}: {error}"]) from error
    if not rows:
        mistakes.append(f"{name} has no rows below its header")
    if mistakes:
        raise BadFile(mistakes)
    return tuple(columns)


def _jsonl_columns(text: str, name: str) -> tuple[str, ...]:
    columns: tuple[str, ...] = ()
    mistakes: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            mistakes.append(f"{name} line {number} is not JSON: {error}")
        else:
            if not isinstance(row, dict) or not row:
                mistakes.append(f"{name} line {number}: allowed: one JSON object with at least one key")
            elif not columns:
                columns = tuple(str(key) for key in row)
            elif missing := [key for key in columns if key not in row]:
                mistakes.append(f"{name} line {number}: {', '.join(missing)} of the first row is missing")
        if len(mistakes) >= MAX_MISTAKES:
            break
    if not columns and not mistakes:
        mistakes.append(f"{name} is empty; allowed: one JSON object per line")
    if mistakes:
        raise BadFile(mistakes)
    return columns
