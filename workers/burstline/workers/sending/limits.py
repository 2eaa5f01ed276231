"""What this machine lets a worker open: file descriptors and local ports; and plans that cannot work with them."""

import resource
from collections.abc import Iterator
from pathlib import Path

from burstline.core.load.cold import cold_burst
from burstline.core.load.plan import Bursts, Plan, Users
from burstline.workers.errors import CannotPrepare

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


def needs(plan: Plan, worker_count: int, latency_s: float) -> Iterator[tuple[int, str]]:
    """Yield the connections that one of `worker_count` workers is sure to need at once, and what for.

    Steady rates are left out: how many they need is known only when the target's latency under load is.

    Args:
        plan: the plan.
        worker_count: among how many workers it is shared, >= 1.
        latency_s: of one request, seconds.
    """
    if plan.connections.warm_count:
        yield -(-plan.connections.warm_count // worker_count), "`connections.warm`"
    for phase in plan.load:
        if isinstance(phase.shape, Users):
            yield -(-phase.shape.users // worker_count), f"the users of phase {phase.name!r}"
        elif isinstance(phase.shape, Bursts) and latency_s >= phase.shape.width_s:
            yield -(-phase.shape.size // worker_count), f"the bursts of phase {phase.name!r}"


def check_limits(plan: Plan, worker_count: int, latency_s: float, file_limit: int, port_count: int) -> None:
    """Check that a plan can work on this worker.

    Args:
        plan: the plan.
        worker_count: among how many workers it is shared, >= 1.
        latency_s: of one request, as far as known, seconds, > 0.
        file_limit: `ulimit -n`.
        port_count: local ports for outgoing connections.

    Raises:
        CannotPrepare: it cannot; the text says why and what to do.
    """
    most = plan.ceilings.in_flight
    for count, what in needs(plan, worker_count, latency_s):
        if most:
            count = min(count, -(-most // worker_count))
        if count > file_limit - RESERVED_FILES:
            raise CannotPrepare(
                f"{what} need {count:,} connections at once on this worker, and `ulimit -n` lets it open "
                f"{max(0, file_limit - RESERVED_FILES):,}: raise it (`ulimit -n {count + RESERVED_FILES}` before "
                "`burstline work`), or use more workers"
            )
        if count > port_count:
            raise CannotPrepare(
                f"{what} need {count:,} connections at once on this worker, and this machine has {port_count:,} local "
                "ports for one target address: widen net.ipv4.ip_local_port_range, or use workers on more machines"
            )
    if not plan.target.url.startswith("https:"):
        return
    cold = cold_burst(plan.load, plan.connections, worker_count, latency_s)
    if cold is not None:
        raise CannotPrepare(
            f"phase {cold.phase!r} would open {cold.count:,} TLS connections on this worker while its burst of "
            f"{cold.width_s * 1000:g} ms lasts: {cold.cpu_s * 1000:,.0f} ms of CPU for handshakes, so the generator, "
            f"not the target, would set the pace. Use `connections: {{warm: auto}}`, or {cold.worker_count} workers"
        )
