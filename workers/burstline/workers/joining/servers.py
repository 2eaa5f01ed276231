"""Where the control plane may be: several servers on one database, of which one drives a run."""

import asyncio
from contextlib import suppress

PROBE_S = 0.3
"""How long an address may take to accept, seconds."""


class Servers:
    """Addresses (host:port) in the order of preference, and the one whose turn it is."""

    def __init__(self, listed: str) -> None:
        """Read addresses that are separated by commas."""
        self.addresses = tuple(address.strip() for address in listed.split(",") if address.strip()) or (listed,)
        self._turn = 0

    @property
    def at_hand(self) -> str:
        """Where to attach now."""
        return self.addresses[self._turn]

    @property
    def several(self) -> bool:
        """Whether there is a choice."""
        return len(self.addresses) > 1

    def turn(self) -> None:
        """Take the next."""
        self._turn = (self._turn + 1) % len(self.addresses)

    async def turn_back(self) -> bool:
        """Take the first again if it accepts connections; return whether it is another than before."""
        if self._turn == 0 or not await _accepts(self.addresses[0]):
            return False
        self._turn = 0
        return True


async def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
