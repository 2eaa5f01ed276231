"""Where runs are looked up, and which of them a user means: by an id, the beginning of one, or `last`."""

import re
from collections.abc import AsyncIterator
from typing import Protocol

from burstline.client.errors import UsageError
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as runs

LARGEST_PAGE = 1000
"""Most runs in a page (run_service.proto)."""

_LAST = re.compile(r"last(?:~([0-9]{1,3}))?")


class Runs(Protocol):
    """Where runs are read: a server, or a store."""

    async def list_runs(self, page_size: int, page_token: str = "") -> runs.ListRunsResponse:
        """Return a page of runs, newest first."""
        ...

    async def get_report(self, name: str) -> bytes:
        """Return a run's report, UTF-8 JSON."""
        ...


async def find_run(where: Runs, text: str) -> v1.Run:
    """Return the run that an id, a unique beginning of one, `last`, or `last~2` (two before it) names.

    Raises:
        UsageError: none or several match; the message says which.
    """
    wanted = text.removeprefix("runs/")
    back = _LAST.fullmatch(wanted)
    if back is not None:
        number = int(back[1] or 0)
        newest = (await where.list_runs(number + 1)).runs
        if not newest:
            raise UsageError("there are no runs yet")
        if len(newest) <= number:
            raise UsageError(f'found "{text}"; there are only {len(newest)} runs')
        return newest[number]
    found = [run async for run in all_runs(where) if run.name.removeprefix("runs/").startswith(wanted)]
    found = [run for run in found if run.name == f"runs/{wanted}"] or found
    if not found:
        raise UsageError(f'no run begins with "{wanted}"; `burstline runs` lists them')
    if len(found) > 1:
        some = ", ".join(run.name.removeprefix("runs/") for run in found[:5])
        raise UsageError(f'{len(found)} runs begin with "{wanted}": {some}')
    return found[0]


async def all_runs(where: Runs) -> AsyncIterator[v1.Run]:
    """Yield every run, newest first, a page at a time."""
    token = ""
    while True:
        page = await where.list_runs(LARGEST_PAGE, token)
        for run in page.runs:
            yield run
        token = page.next_page_token
        if not token:
            return
