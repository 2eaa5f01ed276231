"""A sender whose outcomes are written down."""

import asyncio
from collections.abc import Callable, Mapping

from burstline.core.load.plan import Connections
from burstline.workers.sending.addresses import Gate
from burstline.workers.sending.dialing import Dialer
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.sending import Sender


class Trial:
    """A sender whose outcomes are written down by number."""

    def __init__(
        self,
        url: str,
        most_open: int = 100,
        keep_alive_s: float = 60.0,
        gate: Gate = Gate(named=False),  # noqa: B008
    ) -> None:
        self.outcomes: dict[int, str] = {}
        self.bodies: dict[int, bytes] = {}
        self.headers: dict[int, Mapping[str, str]] = {}
        self.wired: list[int] = []
        policy = Connections(keep_alive_s=keep_alive_s)
        self.dialer = Dialer(url, policy, gate, 5.0)
        self.sender = Sender(
            self.dialer, keep_alive_s, most_open, self._answered, self._failed, lambda f: self.wired.append(f.number)
        )
        self._next = 0

    def _answered(self, flight: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        assert flight.number not in self.outcomes
        self.outcomes[flight.number] = str(status)
        self.bodies[flight.number], self.headers[flight.number] = body, headers

    def _failed(self, flight: Flight, signature: str) -> None:
        assert flight.number not in self.outcomes
        self.outcomes[flight.number] = signature

    def send(self, method: str = "GET", path: str = "", timeout_s: float = 5.0) -> Flight:
        number, self._next = self._next, self._next + 1
        flight = Flight(number, 0, 0, 0.0, 0.0, timeout_s)
        data = f"{method} {path or f'/{number}'} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode()
        assert self.sender.send(flight, data, method == "HEAD")
        return flight

    async def settled(self) -> None:
        await self.until(lambda: not self.sender.in_flight)
        await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - neither the sender nor the target has an event, by design
                await asyncio.sleep(0.001)
