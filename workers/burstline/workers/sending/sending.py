"""Sends requests over kept-open connections, each exactly once, and says what came of each.

A request is written at most once, to one connection. It waits for a connection if none is free (the time counts into
its latency, which runs from due); once its bytes are handed to a connection, whatever happens to that connection is
the request's outcome.
"""

import asyncio
import errno
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ServerTimeoutError,
)

from burstline.core.load.samples import (
    TIMED_OUT,
    UNREACHABLE_CONNECT,
    UNREACHABLE_DNS,
    UNREACHABLE_NO_RESPONSE,
    UNREACHABLE_TLS,
)
from burstline.workers.requests.reading import Reading
from burstline.workers.sending.connections import Link
from burstline.workers.sending.dialing import Dialer
from burstline.workers.sending.flights import PLAIN_READING, Counters, Flight

_OUT_OF_SOCKETS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})
_WARM_AT_ONCE = 64
_SWEEPS_TO_USE_ALL = 64
"""In so many sweeps every idle connection has its turn, if there are requests enough."""


def signature_of(error: BaseException) -> str:
    """Return the transport signature of a connection that could not be opened, most specific first."""
    if isinstance(error, ClientConnectorDNSError):
        return UNREACHABLE_DNS
    if isinstance(error, ClientConnectorCertificateError | ClientConnectorSSLError):
        return UNREACHABLE_TLS
    if isinstance(error, ServerTimeoutError | TimeoutError):
        return TIMED_OUT
    if isinstance(error, ClientConnectorError | ClientHttpProxyError | ClientConnectionError | OSError):
        return UNREACHABLE_CONNECT
    return UNREACHABLE_CONNECT


class Sender:
    """Sends to one target.

    Args:
        dialer: opens connections.
        keep_alive_s: an idle connection is closed after this, seconds.
        most_open: file descriptors it may use, >= 1.
        answered: called for each response: flight, status, headers, body (its first part at least).
        failed: called for each request without one: flight, transport signature.
        wired: called when a request that had to wait for a connection was written.
        monotonic: seconds.
    """

    def __init__(
        self,
        dialer: Dialer,
        keep_alive_s: float,
        most_open: int,
        answered: Callable[[Flight, int, Mapping[str, str], bytes], None],
        failed: Callable[[Flight, str], None],
        wired: Callable[[Flight], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialer, self._keep_alive_s, self._most_open = dialer, keep_alive_s, most_open
        self._on_answer, self._on_failure, self._on_wire = answered, failed, wired
        self._monotonic = monotonic
        self._idle: deque[Link] = deque()
        self._links: set[Link] = set()
        self._waiting: deque[Flight] = deque()
        self._active: dict[float, dict[Flight, None]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self.in_flight = 0
        self.counters = Counters()
        self._failed_ever = 0
        self.abandoned_count = 0
        self.last_problem = ""
        self._closed = False
        self._old_count = 0

    @property
    def open_count(self) -> int:
        """Connections open."""
        return len(self._links)

    def take_counters(self) -> Counters:
        """Return what was counted since the last call."""
        taken, self.counters = self.counters, Counters()
        return taken

    def send(self, flight: Flight, data: bytes, head: bool = False, reading: Reading = PLAIN_READING) -> bool:
        """Take a request over: write it now, or as soon as a connection is open (`flight.on_wire` says which).

        Returns:
            False, and nothing is taken over, if no connection is free and no file descriptor is left for another.
        """
        link = self._take()
        if link is None:
            if len(self._links) + len(self._opening) >= self._most_open:
                return False
            flight.data, flight.head, flight.reading = data, head, reading
            self._waiting.append(flight)
            self._start_opening()
        else:
            flight.link, flight.on_wire = link, True
            link.begin(flight, data, head, reading)
            self.counters.reused += 1
        self.in_flight += 1
        active = self._active.get(flight.timeout_s)
        if active is None:
            active = self._active[flight.timeout_s] = {}
        active[flight] = None
        return True

    def _take(self) -> Link | None:
        """Take the idle connection that was used last: what the processor keeps of it saves 6 % of a TLS request.

        After each sweep some are taken from the other end, so that none grows old and all addresses have their share.
        """
        idle = self._idle
        while idle:
            if self._old_count:
                self._old_count -= 1
                link = idle.popleft()
            else:
                link = idle.pop()
            if link.connected:
                return link
            link.drop()
        return None

    def _settle(self, flight: Flight) -> bool:
        """Take a flight out of the books; False if it was out already."""
        active = self._active[flight.timeout_s]
        if flight not in active:
            return False
        del active[flight]
        self.in_flight -= 1
        flight.link = None
        flight.data = b""
        return True

    def answered(self, token: Any, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """See `connections.Owner`."""
        if self._settle(token):
            self._on_answer(token, status, headers, body)

    def freed(self, link: Link) -> None:
        """See `connections.Owner`."""
        if self._closed or not link.usable:
            link.drop()
            return
        flight = self._next_waiting()
        if flight is not None:
            self.counters.reused += 1
            self._write_waiting(link, flight)
        else:
            link.idle_since_s = self._monotonic()
            self._idle.append(link)

    def lost(self, link: Link, token: Any) -> None:
        """See `connections.Owner`."""
        self._links.discard(link)
        if token is not None and self._settle(token):
            self._on_failure(token, UNREACHABLE_NO_RESPONSE)

    def _next_waiting(self) -> Flight | None:
        while self._waiting:
            flight = self._waiting.popleft()
            if flight in self._active[flight.timeout_s]:  # else it timed out meanwhile
                return flight
        return None

    def _write_waiting(self, link: Link, flight: Flight) -> None:
        data, flight.data = flight.data, b""
        flight.link, flight.on_wire = link, True
        link.begin(flight, data, flight.head, flight.reading)
        self._on_wire(flight)

    def _start_opening(self) -> None:
        task = asyncio.get_running_loop().create_task(self._open(), name="open connection")
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self) -> None:
        """Open one connection for whoever waits longest; if that fails, that one fails with it."""
        started_s = self._monotonic()
        try:
            link, connection = await self._dialer.open()
        except (ClientError, OSError, TimeoutError) as error:
            self._opening_failed(error)
            return
        link.adopt(self, connection)
        self._links.add(link)
        counters = self.counters
        counters.opened += 1
        counters.connect_s.append(self._monotonic() - started_s)
        if link.tls_version:
            counters.tls_s.append(link.made_s - link.connected_s)
        flight = None if self._closed else self._next_waiting()
        if flight is not None and link.usable:
            self._write_waiting(link, flight)
        elif flight is not None:
            self._settle(flight)
            self._on_failure(flight, UNREACHABLE_CONNECT)
        else:
            self.freed(link)

    def _opening_failed(self, error: BaseException) -> None:
        self.counters.failed += 1
        self._failed_ever += 1
        self.last_problem = str(error) or type(error).__name__
        cause = error.os_error if isinstance(error, ClientConnectorError) else error
        if isinstance(cause, OSError) and cause.errno in _OUT_OF_SOCKETS:
            self._most_open = max(1, len(self._links))
        flight = self._next_waiting()
        if flight is not None and self._settle(flight):
            self._on_failure(flight, signature_of(error))

    def halt(self) -> None:
        """Write nothing more: what waits for a connection stays without an outcome (`abandoned_count`)."""
        for flight in self._waiting:
            if flight in self._active[flight.timeout_s]:
                self._settle(flight)
                self.abandoned_count += 1
        self._waiting.clear()

    async def warm(self, count: int) -> int:
        """Open connections until `count` are open, a few at a time, giving up on the first failures.

        Returns:
            How many are open then.
        """
        failed_before = self._failed_ever
        while not self._closed and self._failed_ever == failed_before:
            missing = min(count, self._most_open) - len(self._links) - len(self._opening)
            if missing <= 0:
                break
            for _ in range(min(missing, _WARM_AT_ONCE)):
                self._start_opening()
            await asyncio.gather(*self._opening, return_exceptions=True)
        return len(self._links)

    def peek(self) -> Link | None:
        """Return an idle connection without taking it, or None."""
        return next((link for link in self._idle if link.usable), None)

    async def drop_all(self) -> None:
        """Close this sender's connections; the dialer stays open for others."""
        self._closed = True
        for task in list(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for link in list(self._links):
            link.drop()

    def sweep(self, now_s: float) -> None:
        """Fail what is past its deadline (run time `now_s`), and close connections idle for too long."""
        for active in self._active.values():
            while active:
                flight = next(iter(active))
                if flight.deadline_s > now_s:
                    break
                link = flight.link
                self._settle(flight)
                if link is not None:
                    link.drop()
                self._on_failure(flight, TIMED_OUT)
        oldest_s = self._monotonic() - self._keep_alive_s
        while self._idle and self._idle[0].idle_since_s < oldest_s:
            self._idle.popleft().drop()
        self._old_count = 1 + len(self._idle) // _SWEEPS_TO_USE_ALL

    async def close(self) -> None:
        """Close all connections; what is in flight stays without an outcome."""
        await self.drop_all()
        await self._dialer.close()
