"""Where output goes: to a terminal of its own width, or to a log or pipe, where no line ends in blanks."""

import os
import re
import sys
from typing import IO, TextIO, cast

from rich.console import Console

LOG_COLUMNS = 100
"""Width of text in a log, unless COLUMNS says otherwise."""

ONE_LINE_COLUMNS = 10_000
_BLANKS = re.compile(r" +(?=\n)")


class _Log:
    """A text stream without the blanks that tables and indented text are filled up with."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(_BLANKS.sub("", text))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


def output_console(*, one_line: bool = False) -> Console:
    """Return standard output; `one_line` says that a row of a table is a line where a program reads it."""
    if sys.stdout.isatty():
        return Console()
    width = ONE_LINE_COLUMNS if one_line else None if os.environ.get("COLUMNS") else LOG_COLUMNS
    return Console(file=cast(IO[str], _Log(sys.stdout)), width=width)
