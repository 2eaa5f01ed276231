"""What a plan must meet before this server runs it: allowed hosts, its own ceilings, its files."""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from burstline.core.load.plan import Plan
from burstline.core.load.schedule import Schedule
from burstline.core.quota.cost import (
    GATEWAY_USD_PER_MILLION,
    LAMBDA_USD_PER_GB_S,
    LAMBDA_USD_PER_MILLION,
    MB_PER_GB,
)
from burstline.core.quota.limits import LAMBDA_FRONTS, functions_of
from burstline.core.quota.quotas import Account
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


def least_cost_usd(plan: Plan, account: Account, count: int) -> float | None:
    """Return what `count` requests cost at list prices, USD; None where nothing is known of the target's price.

    Lambda time is counted by the declared median of each function, so this is low where durations spread.
    """
    front, parts = plan.target.front, []
    if front in GATEWAY_USD_PER_MILLION:
        parts.append(GATEWAY_USD_PER_MILLION[front] / 1e6)
    if front in LAMBDA_FRONTS:
        parts.append(LAMBDA_USD_PER_MILLION / 1e6)
        weights = [request.weight for request in plan.requests]
        for name, weight in zip(functions_of(plan), weights, strict=True):
            function = account.functions.get(name)
            if function is not None:
                gb_s = function.duration.p50_s * function.memory_mb / MB_PER_GB
                parts.append(weight / sum(weights) * gb_s * LAMBDA_USD_PER_GB_S)
    return sum(parts) * count if parts else None


def ceiling_violations(plan: Plan, account: Account, schedule: Schedule) -> Iterator[Violation]:
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
    cost = least_cost_usd(plan, account, schedule.count)
    if ceilings.cost_usd is not None and cost is not None and cost > ceilings.cost_usd:
        text = f"the plan costs an estimated {cost:,.2f} USD; its own ceiling is {ceilings.cost_usd:,.2f} USD"
        yield Violation("ceilings.cost_usd", text)


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
