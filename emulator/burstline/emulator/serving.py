"""An emulator as a process of its own, with or without its AWS side."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable

from burstline.core.quota.quotas import Account
from burstline.emulator.aws.running import start_aws_side
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.running import start_emulator
from burstline.emulator.settings import EmulatorSettings


def run_emulator(
    account: Account,
    settings: EmulatorSettings,
    on_ready: Callable[[str], object] = lambda url: None,
    aws: AwsSideSettings | None = None,
    on_aws_ready: Callable[[str], object] = lambda url: None,
) -> None:
    """Run an emulator until SIGINT or SIGTERM, on uvloop where there is one.

    Can be the target of a process that `multiprocessing` spawns; `on_ready` may then be a pipe's `send`.

    Args:
        account: what throttles.
        settings: how and where it plays.
        on_ready: called with the target's URL once it accepts connections.
        aws: how its AWS side behaves; None is "has none".
        on_aws_ready: called with the AWS side's URL, after `on_ready`.

    Raises:
        ValueError: as `start_emulator`.
        OSError: as `start_emulator`.
    """
    _raise_file_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run_until_signal(account, settings, on_ready, aws, on_aws_ready))


async def _run_until_signal(
    account: Account,
    settings: EmulatorSettings,
    on_ready: Callable[[str], object],
    aws: AwsSideSettings | None,
    on_aws_ready: Callable[[str], object],
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    running = await start_emulator(account, settings)
    try:
        side = await start_aws_side(running, account, settings, aws) if aws is not None else None
    except BaseException:
        await running.stop()
        raise
    # What exists now stays for good: a full collection in the middle of a burst would make answers late.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    # What the collection made late is noticed before counting starts.
    await asyncio.sleep(0.02)
    running.reset()
    on_ready(running.url)
    if side is not None:
        on_aws_ready(side.url)
    await stopped.wait()
    if side is not None:
        await side.stop()
    await running.stop()


def _raise_file_limit() -> None:
    """Allow as many open connections as the system lets us: the usual soft limit of 1,024 is below one burst."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        return None
    import uvloop

    return uvloop.new_event_loop
