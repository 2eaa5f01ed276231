"""The demo: an emulator, a server, two workers and a plan that crosses a quota, all on this machine."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from rich.console import Console

from burstline.client import exits
from burstline.client.errors import UsageError
from burstline.client.running.children import Children
from burstline.client.running.outcome import print_report, write_report
from burstline.client.running.progress import progress_view
from burstline.client.running.running import RunOptions, run_to_end
from burstline.client.spelling.plans import LoadedPlan, load_plan

WORKERS = 2

BUSY = "This machine was busy with other things: requests left late, so no quota can be told from this run."


@contextmanager
def demo_files() -> Iterator[tuple[Path, Path]]:
    """Give the paths of the demo's plan and account for the length of the block."""
    data = files("burstline.client.data")
    with as_file(data / "demo.yaml") as plan, as_file(data / "demo-account.yaml") as account:
        yield plan, account


def prepared_folder(folder: Path) -> Path:
    """Make the folder for the report and return the report's path.

    Raises:
        UsageError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}; choose another folder with --reports"
        ) from error
    return folder / "demo.json"


def _counted(url: str, run: str) -> tuple[int, int]:
    """Return how many requests of a run the emulator counted, and how many it throttled in all."""
    parts = urlsplit(url)
    with urlopen(f"{parts.scheme}://{parts.netloc}/_burstline/stats", timeout=5) as answer:
        stats = json.load(answer)["requests"]
    return int(stats["by_run"].get(run, 0)), int(stats["throttled"])


async def run_demo(folder: Path, out: Console, err: Console) -> int:
    """Run the demo; returns 0 when it did its job, whatever its verdict, and a signal's code after one.

    Raises:
        ClientError: a part of it did not start, or the run could not take place.
    """
    report_file = prepared_folder(folder)
    with demo_files() as (plan, account):
        async with Children() as emulator:
            practice = emulator.start("emulate", "--account", str(account), "--listen", "127.0.0.1:0")
            url = await emulator.address(practice, "the emulator")
            err.print(
                f"practice AWS (API Gateway and Lambda) at {url}; its quotas: {account.name}",
                highlight=False,
                soft_wrap=True,
            )
            err.print(
                f"plan: {plan.name}; a server and {WORKERS} workers on this machine", highlight=False, soft_wrap=True
            )
            loaded = load_plan(plan, target=url, account=account)
            trial = await _try(loaded, url, emulator, err)
            if trial.busy:
                err.print(f"{BUSY} Once more.", highlight=False, soft_wrap=True)
                trial = await _try(loaded, url, emulator, err)  # both together end within a minute
    if trial.busy:
        err.print(f"{BUSY} Run the demo again when it is idle.", highlight=False, soft_wrap=True)
    print_report(trial.report, out)
    page = report_file.with_suffix(".html")
    write_report(trial.report, json_file=report_file, junit_file=None, html_file=page)
    ledger = trial.report["ledger"]
    out.print(
        f"\nOutside check: burstline sent {ledger['sent_on_wire']:,} requests and settled "
        f"{ledger['outcomes']['throttled']:,} of them as throttled; "
        f"the practice AWS itself counted {trial.received:,} and {trial.throttled:,}.",
        highlight=False,
    )
    out.print(f"The report: {page} (open it in a browser), and as JSON: {report_file}", highlight=False, soft_wrap=True)
    if not trial.code:
        out.print(
            "Next, on your own API: burstline run plan.yaml (README.md shows a first plan)",
            highlight=False,
            soft_wrap=True,
        )
    return trial.code or exits.PASSED


@dataclass(frozen=True, slots=True)
class _Trial:
    """One run of the demo: its report, a signal's exit code or 0, and what the emulator counted of it."""

    report: dict[str, Any]
    code: int
    received: int
    throttled: int

    @property
    def busy(self) -> bool:
        """Whether this machine, and not a quota, was the limit."""
        return not self.code and self.report["verdict"] == "generator_limited"


async def _try(loaded: LoadedPlan, url: str, emulator: Children, err: Console) -> _Trial:
    _, before = await asyncio.to_thread(_counted, url, "")
    with tempfile.TemporaryDirectory(prefix="burstline-demo-") as scratch:
        async with Children() as workers:

            def kill() -> None:
                emulator.kill()
                workers.kill()

            options = RunOptions(None, WORKERS, f"sqlite:///{scratch}/demo.db")
            report, code = await run_to_end(loaded, options, workers, lambda: progress_view(err), at_once=kill)
    received, throttled = await asyncio.to_thread(_counted, url, str(report["run"]["id"]))
    return _Trial(report, code, received, throttled - before)
