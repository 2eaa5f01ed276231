"""What a plan must meet before this server runs it: allowed hosts, its own ceilings, its files."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from burstline.core.load.plan import Plan
from burstline.core.load.schedule import Schedule
from burstline.server.errors import InvalidRequest, WrongState
from burstline.server.store import Store
from burstline.wire.errors import Violation

FILE_LIMIT_BYTES = 256 * 1024 * 1024
RUN_LIMIT_BYTES = 1024 * 1024 * 1024
NEVER = frozenset({"metadata.google.internal", "metadata", "instance-data"})
"""Names of cloud metadata services."""
NEVER_ADDRESSES = frozenset({"100.100.100.200", "fd00:ec2::254"})
"""Metadata addresses that are not link-local: Alibaba Cloud's, and AWS's over IPv6."""


def check_host(url: str, allow: tuple[str, ...]) -> None:
    """Check that a target may be loaded.

    Loopback always may; link-local and metadata addresses never may, whatever is allowed. Workers check the resolved
    addresses again.

    Raises:
        WrongState: HOST_NOT_ALLOWED.
    """
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    kind = _kind(host)
    if kind == "loopback" or (kind != "never" and ("*" in allow or host in {name.lower() for name in allow})):
        return
    if kind == "never":
        raise WrongState(
            f"{host} is a link-local or metadata address: burstline never sends there",
            reason="HOST_NOT_ALLOWED",
            host=host,
        )
    raise WrongState(
        f"{host} is not among the hosts this server may load: start it with `burstline serve --allow {host}` "
        "or set BURSTLINE_ALLOW",
        reason="HOST_NOT_ALLOWED",
        host=host,
    )


def _kind(host: str) -> str:
    if host == "localhost" or host.endswith(".localhost"):
        return "loopback"
    if host in NEVER or host in NEVER_ADDRESSES:
        return "never"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "name"
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if address.is_loopback:
        return "loopback"
    return "never" if address.is_link_local or address.is_unspecified or address.is_multicast else "address"


def ceiling_violations(plan: Plan, schedule: Schedule) -> Iterator[Violation]:
    """Yield each of the plan's own ceilings that its load exceeds before anything is sent."""
    ceilings = plan.ceilings
    if ceilings.request_count is not None and schedule.count > ceilings.request_count:
        yield Violation(
            "ceilings.request_count",
            f"the plan schedules {schedule.count:,} requests; its own ceiling is {ceilings.request_count:,}",
        )
    if ceilings.duration_s is not None and schedule.duration_s > ceilings.duration_s:
        yield Violation(
            "ceilings.run_duration",
            f"the plan takes {schedule.duration_s:g} s; its own ceiling is {ceilings.duration_s:g} s",
        )


async def check_files(plan: Plan, store: Store) -> None:
    """Check that every file of a plan was uploaded, and that together they are at most 1 GiB.

    Raises:
        InvalidRequest: with every file that is missing.
    """
    wanted = {f"requests[{i}].body_sha256": r.body_sha256 for i, r in enumerate(plan.requests) if r.body_sha256}
    if plan.data is not None:
        wanted["data.sha256"] = plan.data.sha256
    sizes = {sha256: await store.file_size(sha256) for sha256 in set(wanted.values())}
    missing = [
        Violation(field, f"no file with SHA-256 {sha256} was uploaded")
        for field, sha256 in wanted.items()
        if sizes[sha256] is None
    ]
    total = sum(size or 0 for size in sizes.values())
    if total > RUN_LIMIT_BYTES:
        missing.append(Violation("data", f"the plan's files have {total:,} bytes; allowed are {RUN_LIMIT_BYTES:,}"))
    if missing:
        raise InvalidRequest(missing)
