"""Names into addresses, without those that must not be connected to."""

import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from burstline.workers.sending.addresses import ForbiddenAddress, Gate


class GatedResolver(AbstractResolver):
    """The system's resolver, without addresses that must not be connected to."""

    def __init__(self, gate: Gate) -> None:
        self._gate, self._resolver = gate, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses that may be connected to; OSError if there is none."""
        found = await self._resolver.resolve(host, port, family)
        allowed, refusal = [], None
        for result in found:
            try:
                self._gate.check(result["host"])
            except ForbiddenAddress as error:
                refusal = error
            else:
                allowed.append(result)
        if not allowed and refusal is not None:
            raise refusal
        return allowed

    async def close(self) -> None:
        """Nothing to give back."""
        await self._resolver.close()
