"""Starting and stopping an emulator: inside a running loop, or as a process of its own."""

import asyncio
import gc
import signal
import ssl
import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account
from burstline.emulator.connection import Connection
from burstline.emulator.control import CONTROL_PREFIX, control, stats
from burstline.emulator.encoding import Encoder
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import FrontDesk, LagProbe
from burstline.emulator.settings import EmulatorSettings, check
from burstline.emulator.timers import Timers
from burstline.emulator.traffic import OtherTraffic

if TYPE_CHECKING:
    from burstline.emulator.aws.running import RunningAwsSide
    from burstline.emulator.aws.settings import AwsSideSettings

BACKLOG_COUNT = 4_096
"""Connections that may wait to be accepted: a burst opens many at once. The kernel's somaxconn may allow fewer."""


class RunningEmulator:
    """An emulator that listens. Made by `start_emulator`.

    Attributes:
        desk: its quotas and counts.
        port: where it listens.
    """

    def __init__(self, account: Account, settings: EmulatorSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._timers = Timers(loop)
        self._encoder = Encoder(settings.front, settings.seed)
        self._control_encoder = Encoder(Front.PLAIN, settings.seed)
        self._opened: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.desk = FrontDesk(account, settings, self._timers)
        self.port = settings.port
        LagProbe(self.desk)
        OtherTraffic(account, self.desk, settings.seed)
        self._timers.at(monotonic() + self._sweep_every_s, self._sweep, None)

    @property
    def url(self) -> str:
        """The target's URL, with the stage's path prefix if it has one; no slash at the end."""
        return self.base_url + self._settings.path_prefix

    @property
    def base_url(self) -> str:
        """Scheme, host and port: what `/_burstline/stats` and its like are appended to."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._settings.tls_certificate else 'http'}://{host}:{self.port}"

    def stats(self) -> dict[str, Any]:
        """Return what `/_burstline/stats` answers."""
        return stats(self.desk)

    def reset(self) -> None:
        """Start over, as `/_burstline/reset`: numbers at 0, buckets full, no environments."""
        self.desk.reset()

    async def listen(self) -> None:
        """Accept connections from now on.

        Raises:
            OSError: the address is taken or not ours, or a certificate file cannot be read.
        """
        settings = self._settings
        context = None
        if settings.tls_certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        self._server = await self._loop.create_server(
            self._connect, settings.host, settings.port, ssl=context, backlog=BACKLOG_COUNT
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close everything at once; requests under way get no answer. Safe to call twice."""
        self._timers.stop()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._opened):
            connection.close()
        # Closed transports tell their protocols in the loop's next round.
        await asyncio.sleep(0)

    def _connect(self) -> Connection:
        return Connection(self._handle, self._encoder, self._opened, self._count_bad)

    def _handle(self, exchange: Exchange) -> None:
        if not exchange.target.startswith(CONTROL_PREFIX):
            self.desk.handle(exchange)
        elif isinstance(exchange.reply_to, Connection):
            exchange.reply_to.write(exchange, self._control_encoder, control(self.desk, exchange))

    def _count_bad(self) -> None:
        self.desk.counts.bad += 1

    @property
    def _sweep_every_s(self) -> float:
        return min(1.0, self._settings.keep_alive_s / 4)

    def _sweep(self, now_s: float, _: None) -> None:
        """Close connections that were idle for too long."""
        before_s = now_s - self._settings.keep_alive_s
        for connection in tuple(self._opened):
            if connection.idle and connection.active_s < before_s:
                connection.close()
        self._timers.at(now_s + self._sweep_every_s, self._sweep, None)


async def start_emulator(account: Account, settings: EmulatorSettings) -> RunningEmulator:
    """Start an emulator in the running loop and return it once it accepts connections.

    Args:
        account: what throttles.
        settings: how and where it plays.

    Raises:
        ValueError: `settings` are out of range or do not fit `account`; names every mistake.
        OSError: it cannot listen there.
    """
    check(account, settings)
    running = RunningEmulator(account, settings, asyncio.get_running_loop())
    try:
        await running.listen()
    except BaseException:
        await running.stop()
        raise
    return running


def run_emulator(
    account: Account,
    settings: EmulatorSettings,
    on_ready: Callable[[str], object] = lambda url: None,
    aws: "AwsSideSettings | None" = None,
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
    aws: "AwsSideSettings | None",
    on_aws_ready: Callable[[str], object],
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    running = await start_emulator(account, settings)
    side = await _start_aws_side(running, account, settings, aws)
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


async def _start_aws_side(
    running: RunningEmulator, account: Account, settings: EmulatorSettings, aws: "AwsSideSettings | None"
) -> "RunningAwsSide | None":
    if aws is None:
        return None
    # Late: it stands on this module.
    from burstline.emulator.aws.running import start_aws_side

    try:
        return await start_aws_side(running, account, settings, aws)
    except BaseException:
        await running.stop()
        raise


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
