"""Where a worker may send: the allow-list by name, and addresses that are never allowed, also after DNS."""

import errno
from collections.abc import Collection
from dataclasses import dataclass

from burstline.core.load.hosts import is_loopback, is_never_allowed


class ForbiddenAddress(OSError):
    """A connection was refused by us, not by the network; the text says which address and why."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EACCES, text)

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides which addresses may be connected to.

    Attributes:
        named: whether the host was allowed by name; if not, only loopback addresses pass.
    """

    named: bool

    def check(self, address: str) -> None:
        """Let an IP address pass.

        Raises:
            ForbiddenAddress: it is never allowed, or not loopback though only loopback is.
        """
        if is_never_allowed(address):
            raise ForbiddenAddress(f"{address} is link-local or a cloud metadata address: never allowed")
        if not self.named and not is_loopback(address):
            raise ForbiddenAddress(f"{address} is not this machine, and its host is not on the allow-list")


def gate_for(host: str, allowed_hosts: Collection[str]) -> Gate:
    """Return the gate for a target's host.

    Args:
        host: name or IP address of the target, without port.
        allowed_hosts: exact names allowed besides loopback; "*" allows all.

    Raises:
        ForbiddenAddress: the host is not allowed at all; the text says what to do.
    """
    if is_never_allowed(host):
        raise ForbiddenAddress(f"{host} is link-local or a cloud metadata address: never allowed")
    names = {name.lower().rstrip(".") for name in allowed_hosts}
    if "*" in names or host.lower().rstrip(".") in names:
        return Gate(named=True)
    if is_loopback(host):
        return Gate(named=False)
    raise ForbiddenAddress(f"{host} is not on the allow-list: start the server with --allow {host}")
