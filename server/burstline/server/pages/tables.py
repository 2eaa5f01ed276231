"""Tables as values: what a template draws, and what stands behind each chart for who cannot see it."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROWS = 120
"""Rows of a table behind a chart; of more, every n-th is shown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; all rows are as long as `columns`.

    Attributes:
        caption: what it shows.
        columns: headings; the first one's cells are the rows' headings.
        rows: cells as text.
        left: how many columns stand to the left, as words do; the others hold numbers.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1


def thinned(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table of at most `MOST_ROWS` rows, which says so when it leaves some out."""
    every = -(-len(rows) // MOST_ROWS) or 1
    if every > 1:
        caption = f"{caption} (1 row in {every}; the JSON report has all {len(rows):,})"
    return Table(caption, tuple(columns), tuple(tuple(row) for row in rows[::every]))
