"""Where a worker may send: the allow-list by name, and addresses that are never allowed, also after DNS."""

import errno
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass

_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local; 169.254.169.254 and 169.254.170.2 hand out cloud credentials
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # EC2's metadata service over IPv6 is fd00:ec2::254
        "100.100.100.200/32",  # Alibaba Cloud's metadata service
        "0.0.0.0/32",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
    )
)
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddress(OSError):
    """A connection was refused by us, not by the network; the text says which address and why."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EACCES, text)

    def __str__(self) -> str:
        return str(self.strerror)


def _plain(text: str) -> Address | None:
    """Return the address that a text is, IPv4 inside IPv6 taken out; None if it is a name."""
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        nat64 = ipaddress.ip_network("64:ff9b::/96")
        if inside is None and address in nat64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inside or address
    return address


def is_never_allowed(address: str) -> bool:
    """Return whether an IP address is link-local, a cloud's metadata service, unspecified or multicast."""
    plain = _plain(address)
    return plain is not None and any(plain.version == net.version and plain in net for net in _NEVER)


def is_loopback(host: str) -> bool:
    """Return whether a host, as a name or an address, says it is this machine."""
    plain = _plain(host)
    if plain is None:
        return host.lower().rstrip(".") in _LOOPBACK_NAMES
    return plain.is_loopback


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
