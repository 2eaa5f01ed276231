"""Which hosts may be loaded at all: this machine always, cloud metadata never, others where they are allowed."""

import ipaddress
from enum import StrEnum

NEVER = frozenset({"metadata.google.internal", "metadata", "instance-data"})
"""Names of cloud metadata services."""

NEVER_ADDRESSES = frozenset({"100.100.100.200", "fd00:ec2::254"})
"""Metadata addresses that are not link-local: Alibaba Cloud's, and AWS's over IPv6."""


class HostKind(StrEnum):
    """What a host is to us."""

    LOOPBACK = "loopback"
    NEVER = "never"
    OTHER = "other"


def host_kind(host: str) -> HostKind:
    """Return what a host name or address is, by its spelling alone; what names resolve to is checked by workers."""
    if host == "localhost" or host.endswith(".localhost"):
        return HostKind.LOOPBACK
    if host in NEVER or host in NEVER_ADDRESSES:
        return HostKind.NEVER
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return HostKind.OTHER
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return HostKind.LOOPBACK
    return HostKind.NEVER if address.is_link_local or address.is_unspecified or address.is_multicast else HostKind.OTHER
