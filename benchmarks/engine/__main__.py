"""Runs every row and writes the table of docs/performance.md: `python -m benchmarks.engine [options] [row ...]`.

A row that is measured replaces the one of the same name in the table; the others stay with their own dates.
"""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from benchmarks.engine import burst, cost, memory, pacing, recording, scaling, signing, stall, start, throughput
from benchmarks.engine.bench import Options, Row, options_of, parser
from benchmarks.engine.machine import description, raise_file_limit

ROWS: dict[str, Callable[[Options], Sequence[Row]]] = {
    "throughput": throughput.measure,
    "tls": throughput.measure_tls,
    "pacing": pacing.measure,
    "burst": burst.measure,
    "stall": stall.measure,
    "memory": memory.measure,
    "signing": signing.measure,
    "scaling": scaling.measure,
    "start": start.measure,
    "cost": cost.measure,
    "recording": recording.measure,
}
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
_TABLE = re.compile(r"(<!-- table -->\n).*?(<!-- end of table -->)", re.DOTALL)
_HEAD = "| what | goal | burstline | others | reached | date |\n| --- | --- | --- | --- | --- | --- |\n"
_REACHED = {True: "yes", False: "no", None: "not comparable here"}


def line(row: Row) -> str:
    """Return a row of the table as Markdown."""
    cells = [row.what, row.goal, row.found, row.others or "-", _REACHED[row.reached], str(date.today())]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def write(page: Path, rows: Sequence[Row]) -> None:
    """Put rows into the page's table, in place of those of the same name, and name this machine above it."""
    text = page.read_text()
    found = _TABLE.search(text)
    if found is None:
        raise ValueError(f"{page} has no table to write")
    lines = {one.split(" | ")[0]: one for one in found[0].splitlines() if one.startswith("| ")}
    old = {key: one for key, one in lines.items() if key not in ("| what", "| ---")}
    old |= {f"| {row.what.replace('|', '/')}": line(row) for row in rows}
    table = f"Machine: {description()}.\n\n{_HEAD}" + "\n".join(old.values()) + "\n"
    page.write_text(_TABLE.sub(lambda match: match[1] + table + match[2], text))


def main() -> int:
    """Run what was asked for."""
    options = parser()
    options.add_argument("--write", action="store_true", help="put the results into docs/performance.md")
    options.add_argument("row", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)}; all of them unless named")
    arguments = options.parse_args()
    if unknown := set(arguments.row) - set(ROWS):
        options.error(f"no such row: {', '.join(sorted(unknown))}")
    raise_file_limit()
    chosen, failed = options_of(arguments), 0
    print(f"{date.today()}  {description()}\npeers here: {', '.join(chosen.programs) or 'none'}\n")
    for name in arguments.row or ROWS:
        print(f"{name}", flush=True)
        try:
            rows = ROWS[name](chosen)
        except (OSError, RuntimeError, ValueError) as error:
            print(f"  could not be measured: {error}")
            failed = 1
            continue
        for row in rows:
            print(f"  {row.what}\n    goal    {row.goal}\n    found   {row.found}\n    others  {row.others or '-'}")
            print(f"    reached {_REACHED[row.reached]}", flush=True)
        if arguments.write:
            write(PAGE, rows)
    return failed


if __name__ == "__main__":
    sys.exit(main())
