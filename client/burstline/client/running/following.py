"""Follows a run to its end, through restarts of the server, and stops it when the user asks."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from burstline.client.connection import Connection
from burstline.client.errors import ClientError, ServerUnreachable
from burstline.client.running.signals import StopAsked
from burstline.v1 import run_service_pb2 as runs

RECONNECT_FOR_S = 60.0
"""How long a server that went away is waited for."""

RECONNECT_EVERY_S = 0.5


class View(Protocol):
    """Shows where a run stands."""

    def show(self, progress: runs.RunProgress) -> None:
        """Show one update."""

    def say(self, text: str) -> None:
        """Show a message."""


class QuietView:
    """Shows nothing."""

    def show(self, progress: runs.RunProgress) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""


async def follow(
    connection: Connection,
    name: str,
    view: View,
    asked: StopAsked,
    *,
    stops_run: bool,
    now_s: Callable[[], float] = time.monotonic,
) -> runs.RunProgress | None:
    """Show a run until it ends.

    Args:
        connection: to its server.
        name: `runs/{run}`.
        view: shows each update.
        asked: the user's signals.
        stops_run: whether a signal stops the run (`run`) or only the watching (`watch`).
        now_s: a monotonic clock, seconds.

    Returns:
        The last update; None if watching ended before the run.

    Raises:
        ClientError: the server refused, or did not come back in time.
    """
    watching = asyncio.create_task(_watch(connection, name, view, now_s), name="watch")
    asking = asyncio.create_task(asked.event.wait(), name="signals")
    try:
        await asyncio.wait({watching, asking}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            return watching.result()
        if not stops_run:
            return None
        view.say("stopping the run; press Ctrl-C again to leave at once")
        stopped = await connection.stop_run(name)
        if stopped.unreachable_worker_count:
            view.say(
                f"{stopped.unreachable_worker_count} of the workers cannot be reached; "
                f"they stop when their lease ends, at {stopped.stop_time.ToDatetime():%H:%M:%S} UTC"
            )
        return await watching
    finally:
        for task in (watching, asking):
            task.cancel()
        await asyncio.gather(watching, asking, return_exceptions=True)


async def _watch(connection: Connection, name: str, view: View, now_s: Callable[[], float]) -> runs.RunProgress:
    lost_at_s: float | None = None
    while True:
        try:
            async for progress in connection.watch(name):
                if lost_at_s is not None:
                    view.say("the server is back")
                    lost_at_s = None
                view.show(progress)
                if progress.final:
                    return progress
            raise ServerUnreachable("the server ended the stream before the run ended")
        except ServerUnreachable as error:
            if lost_at_s is None:
                lost_at_s = now_s()
                view.say(f"the server does not answer; waiting for it for up to {RECONNECT_FOR_S:g} s")
            elif now_s() - lost_at_s > RECONNECT_FOR_S:
                raise ClientError(
                    f"{error}. The run may go on without us: look with `burstline show {name.removeprefix('runs/')}`"
                ) from error
        await asyncio.sleep(RECONNECT_EVERY_S)
