"""What a plan must meet before this server runs it: allowed hosts, its own ceilings, its files."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from burstline.core.load.hosts import HostKind, host_kind
from burstline.core.load.plan import Plan
from burstline.core.quota.ahead import ahead_of, exceeded
from burstline.core.quota.quotas import Account
from burstline.server.errors import InvalidRequest, WrongState
from burstline.server.store.store import Store
from burstline.wire.errors import Violation

FILE_LIMIT_BYTES = 256 * 1024 * 1024
RUN_LIMIT_BYTES = 1024 * 1024 * 1024


def check_host(url: str, allow: tuple[str, ...]) -> None:
    """Check that a target may be loaded.

    Loopback always may; link-local and metadata addresses never may, whatever is allowed. Workers check the resolved
    addresses again.

    Raises:
        WrongState: HOST_NOT_ALLOWED.
    """
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    kind = host_kind(host)
    if kind is HostKind.LOOPBACK or (
        kind is not HostKind.NEVER and ("*" in allow or host in {name.lower() for name in allow})
    ):
        return
    if kind is HostKind.NEVER:
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


def ceiling_violations(plan: Plan, account: Account) -> Iterator[Violation]:
    """Yield each of the plan's own ceilings that its load exceeds before anything is sent."""
    yield from (Violation(one.field, one.text) for one in exceeded(plan, ahead_of(plan, account)))


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
