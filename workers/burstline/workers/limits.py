"""What this machine lets a worker open: file descriptors and local ports."""

import resource
from pathlib import Path

RESERVED_FILES = 64
"""Left for the gRPC channel, timers, logs, DNS and TLS files."""


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it (`ulimit -n`)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


def local_port_count() -> int:
    """Return how many local ports outgoing connections may use; to one target address that is the limit."""
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return 16_384  # the range of RFC 6335
    return int(high) - int(low) + 1


def most_connections() -> int:
    """Return how many connections this process may open, >= 1."""
    return max(1, min(raise_file_limit() - RESERVED_FILES, local_port_count()))
