"""`burstline compare RUN RUN`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from burstline.client.options import FILE, access_options

if TYPE_CHECKING:
    from burstline.client.connection import Access

EPILOG = """\b
Examples:
  burstline compare last~1 last
  burstline compare main.json last --fail-if "latency p99 > +10% surely" --fail-if "throttled > 0.1%"
  burstline compare main.json new.json --markdown comment.md

\b
Expressions: MEASURE <, <=, > or >= NUMBER. A sign makes it a change: +10%, -5%, +20ms.
`surely` asks that the whole 95 % interval of the change is beyond the number. Measures:
latency p50|p90|p95|p99|p999|max, lateness p50|p99|max, rate, accepted, peak, throttled,
rejected, failed, timed_out, unreachable, dropped, headroom [QUOTA], cost.

Without --server, the runs that this machine made without a server."""


@click.command("compare", epilog=EPILOG)
@click.argument("first")
@click.argument("second")
@access_options(None)
@click.option("--fail-if", "conditions", multiple=True, metavar="EXPR", help="End with 99 if it holds; repeatable.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write it as JSON; - is standard output.")
@click.option("--markdown", "markdown_file", type=FILE, metavar="FILE", help="Write it as Markdown; - likewise.")
def command(
    first: str,
    second: str,
    server: str | None,
    token: str,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    conditions: tuple[str, ...],
    json_file: Path | None,
    markdown_file: Path | None,
) -> int:
    """Compare two runs: rates, throttles, latency and headroom, with how sure each change is.

    FIRST and SECOND are runs (an id, the beginning of one, `last`, `last~1`) or reports as JSON files. Ends with 99
    if a --fail-if holds; what is not known counts as holding.
    """
    import asyncio

    from burstline.client import exits
    from burstline.client.comparing.comparison import compare
    from burstline.client.comparing.expressions import parse_expression
    from burstline.client.comparing.showing import markdown, print_comparison
    from burstline.client.connection import Access
    from burstline.client.consoles import output_console
    from burstline.client.errors import UsageError
    from burstline.client.writing import check_writable, json_bytes, read_report, write_files

    try:
        expressions = [parse_expression(condition) for condition in conditions]
    except ValueError as error:
        raise UsageError(f"--fail-if: {error}") from error
    check_writable(json_file, markdown_file)
    access = Access(server, token, ca, cert, key) if server else None
    files = {
        name: read_report(Path(name)) for name in (first, second) if name.endswith(".json") or Path(name).is_file()
    }
    comparison = compare(*asyncio.run(_reports((first, second), files, access)))
    verdicts = [expression.holds(comparison) for expression in expressions]
    document: dict[str, Any] = comparison.document()
    document["conditions"] = [
        {"expression": expression.text, "holds": holds, "found": found}
        for expression, (holds, found) in zip(expressions, verdicts, strict=True)
    ]
    write_files(
        [(json_file, json_bytes(document)), (markdown_file, markdown(comparison, verdicts).encode())],
        "run the command again with another file",
    )
    if "-" not in (str(json_file), str(markdown_file)):
        print_comparison(comparison, verdicts, output_console())
    return exits.THRESHOLD_FAILED if any(holds for holds, _ in verdicts) else exits.PASSED


async def _reports(
    names: tuple[str, str], files: "dict[str, dict[str, Any]]", access: "Access | None"
) -> list[dict[str, Any]]:
    """Return two reports; a server is asked only for what is not a file."""
    from contextlib import AsyncExitStack

    from burstline.client.picking import find_run
    from burstline.client.running.outcome import fetch_report
    from burstline.client.stored import reading

    found: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        connection = None
        for name in names:
            if name in files:
                found.append(files[name])
                continue
            if connection is None:
                connection = await stack.enter_async_context(reading(access))
            found.append(await fetch_report(connection, await find_run(connection, name)))
    return found
