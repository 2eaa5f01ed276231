"""The target: a process of its own that answers at once (or late, or stalls) and notes when each request arrived.

It speaks just enough HTTP/1.1 for requests without a body. Its notes are on the monotonic clock, which all processes of
a machine share, so they can be held against a schedule.
"""

import asyncio
import multiprocessing
import os
import ssl
import subprocess
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine.machine import cores, settle

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: keep-alive\r\n\r\n"
) + b'{"stock": 1234}'


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the target answers.

    Attributes:
        delay_s: each answer comes so much later, seconds.
        stall_after_s: it stalls so long after the first request, seconds; 0 never.
        stall_s: for so long.
    """

    delay_s: float = 0.0
    stall_after_s: float = 0.0
    stall_s: float = 1.0


class _Notes:
    """What all connections share."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.arrivals = array("d")
        self.held: list[tuple[_Exchange, int]] = []
        self.stall_from_s = self.stall_to_s = 0.0
        self.open = self.peak = 0

    def reset(self, behaviour: Behaviour) -> None:
        self.behaviour, self.arrivals = behaviour, array("d")
        self.stall_from_s = self.stall_to_s = 0.0
        self.peak = self.open

    def stalled(self, now_s: float) -> bool:
        behaviour = self.behaviour
        if not behaviour.stall_after_s:
            return False
        if not self.stall_from_s:
            self.stall_from_s = now_s + behaviour.stall_after_s
            self.stall_to_s = self.stall_from_s + behaviour.stall_s
        if not self.stall_from_s <= now_s < self.stall_to_s:
            return False
        if not self.held:
            asyncio.get_running_loop().call_later(self.stall_to_s - now_s, self._release)
        return True

    def _release(self) -> None:
        self.stall_to_s = monotonic()  # what was really kept
        held, self.held = self.held, []
        for exchange, count in held:
            exchange.answer(count)


class _Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, notes: _Notes) -> None:
        self._notes = notes
        self._rest = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._notes.open += 1
        self._notes.peak = max(self._notes.peak, self._notes.open)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._notes.open -= 1
        self._transport = None

    def data_received(self, data: bytes) -> None:
        now_s, notes = monotonic(), self._notes
        if self._rest or not data.endswith(b"\r\n\r\n"):
            data = self._rest + data
            head, ending, self._rest = data.rpartition(b"\r\n\r\n")
            data = head + ending
        count = data.count(b"\r\n\r\n")
        for _ in range(count):
            notes.arrivals.append(now_s)
        behaviour = notes.behaviour
        if behaviour.stall_after_s and notes.stalled(now_s):
            notes.held.append((self, count))
        elif behaviour.delay_s:
            asyncio.get_running_loop().call_later(behaviour.delay_s, self.answer, count)
        else:
            self.answer(count)

    def answer(self, count: int) -> None:
        if self._transport is not None:
            self._transport.write(_ANSWER * count)


class _ByRecord(ssl.SSLObject):
    """Asks OpenSSL for no more than the record it gives at a time (16 KiB): the loop's 256 KiB at each read would make
    the target what limits. The worker under test reads so, too, by code of its own: a count shares none with it."""

    def read(self, len: int = 1024, buffer: Any = None) -> bytes:
        return _read(self, len if len < 16_384 else 16_384, buffer)


_read = ssl.SSLObject.read


def _serve(control: Connection, certificate: str, core: int, realtime: bool) -> None:
    import uvloop

    settle(core, realtime)

    async def main() -> None:
        loop, notes = asyncio.get_running_loop(), _Notes()
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.sslobject_class = _ByRecord
            context.load_cert_chain(certificate)
        server = await loop.create_server(lambda: _Exchange(notes), "127.0.0.1", 0, backlog=4096, ssl=context)
        end = asyncio.Event()

        def told() -> None:
            try:
                behaviour = control.recv()
            except EOFError:
                end.set()
                return
            if isinstance(behaviour, Behaviour):
                notes.reset(behaviour)
                control.send(None)
            else:
                os.set_blocking(control.fileno(), True)  # the loop made it non-blocking; the notes are long
                control.send((notes.arrivals.tobytes(), notes.stall_from_s, notes.stall_to_s, notes.peak))

        loop.add_reader(control.fileno(), told)
        control.send(server.sockets[0].getsockname()[1])
        await end.wait()

    uvloop.run(main())


@dataclass(frozen=True, slots=True)
class Seen:
    """What reached the target since it was told how to behave.

    Attributes:
        arrivals_s: on the monotonic clock, ascending, seconds.
        stall_from_s, stall_to_s: the same clock; 0 if it did not stall.
        peak_connections: the most that were open at once.
    """

    arrivals_s: NDArray[np.float64]
    stall_from_s: float
    stall_to_s: float
    peak_connections: int


class Target:
    """A running target. Attributes: url; certificate, the PEM file to trust, or ""."""

    def __init__(self, control: Connection, certificate: str) -> None:
        self._control, self.certificate = control, certificate
        self.port = int(control.recv())
        self.url = f"{'https' if certificate else 'http'}://{'localhost' if certificate else '127.0.0.1'}:{self.port}"

    def behave(self, behaviour: Behaviour | None = None) -> None:
        """Forget what was seen, and answer like this from now on."""
        self._control.send(behaviour or Behaviour())
        self._control.recv()

    def seen(self) -> Seen:
        """Return what arrived since."""
        self._control.send("seen")
        raw, from_s, to_s, peak = self._control.recv()
        return Seen(np.frombuffer(raw, dtype=np.float64), from_s, to_s, peak)


@contextmanager
def target(tls: bool = False, realtime: bool = False, core: int | None = None) -> Iterator[Target]:
    """Run a target on the target's core while inside."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory(prefix="burstline-benchmark-") as folder:
        certificate = _certificate(Path(folder)) if tls else ""
        where = cores()[1] if core is None else core
        process = context.Process(target=_serve, args=(theirs, certificate, where, realtime), daemon=True)
        process.start()
        theirs.close()
        try:
            yield Target(ours, certificate)
        finally:
            ours.close()
            process.join(5)
            if process.is_alive():
                process.kill()


def _certificate(folder: Path) -> str:
    """Make a certificate for localhost with OpenSSL's command; key and certificate in one file."""
    path = folder / "localhost.pem"
    key, made = folder / "key.pem", folder / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", *curve, "-nodes", "-days", "2", "-keyout", str(key), "-out", str(made)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    path.write_bytes(key.read_bytes() + made.read_bytes())
    return str(path)
