"""Which hosts may be loaded at all: this machine always, cloud metadata never, others where they are allowed."""

import ipaddress
from enum import StrEnum

NEVER_NAMES = frozenset({"metadata.google.internal", "metadata", "instance-data"})
"""Names of cloud metadata services."""

NEVER_NETWORKS = tuple(
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
"""Link-local, metadata, unspecified and multicast addresses."""

_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HostKind(StrEnum):
    """What a host is to us."""

    LOOPBACK = "loopback"
    NEVER = "never"
    OTHER = "other"


def host_kind(host: str) -> HostKind:
    """Return what a host name or address is, by its spelling alone; what names resolve to is checked by workers."""
    if is_never_allowed(host):
        return HostKind.NEVER
    return HostKind.LOOPBACK if is_loopback(host) else HostKind.OTHER


def is_never_allowed(host: str) -> bool:
    """Return whether a host is a cloud's metadata service by name, or an address of `NEVER_NETWORKS`."""
    plain = _plain(host)
    if plain is None:
        return _name(host) in NEVER_NAMES
    return any(plain.version == network.version and plain in network for network in NEVER_NETWORKS)


def is_loopback(host: str) -> bool:
    """Return whether a host, as a name or an address, says it is this machine."""
    plain = _plain(host)
    if plain is None:
        return _name(host) in _LOOPBACK_NAMES or _name(host).endswith(".localhost")
    return plain.is_loopback


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _plain(text: str) -> Address | None:
    """Return the address that a text is, IPv4 inside IPv6 taken out; None if it is a name."""
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inside = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inside is None and address in _NAT64:
        inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inside or address
