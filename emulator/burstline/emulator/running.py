"""Starting and stopping an emulator inside a running loop; `serving` runs one as a process of its own."""

import asyncio
import ssl
from time import monotonic
from typing import Any

from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account
from burstline.emulator.connection import Connection
from burstline.emulator.control import CONTROL_PREFIX, control, stats
from burstline.emulator.encoding import Encoder
from burstline.emulator.exchange import Exchange
from burstline.emulator.front import FrontDesk, LagProbe
from burstline.emulator.queues import Queues
from burstline.emulator.settings import EmulatorSettings, check
from burstline.emulator.timers import Timers
from burstline.emulator.traffic import OtherTraffic

BACKLOG_COUNT = 4_096
"""Connections that may wait to be accepted: a burst opens many at once. The kernel's somaxconn may allow fewer."""


class RunningEmulator:
    """An emulator that listens. Made by `start_emulator`.

    Attributes:
        desk: its quotas and counts.
        queues: the account's queues, which the AWS side sends to.
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
        self.queues = Queues(account, self.desk, settings.seed)
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
