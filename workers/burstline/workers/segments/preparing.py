"""Makes everything a segment needs before T0, so that nothing is read, compiled or resolved while it runs."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from burstline.core.load.plan import DataOrder, Front, Plan
from burstline.core.load.schedule import Schedule, Stripe
from burstline.core.load.selection import Selection
from burstline.core.load.warming import WarmPoint, warm_at_start, warm_points
from burstline.core.quota.answers.signatures import PREFIXES
from burstline.wire.templates import BUILT_IN_NAMES
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.authorizing import Authorizer, make_authorizer
from burstline.workers.requests.aws_calls import as_sent, base_url
from burstline.workers.requests.building import Builder, auth_headers, our_headers
from burstline.workers.requests.secrets import resolve
from burstline.workers.requests.templating import Row, Text
from burstline.workers.segments.files import FileCache, check_columns, read_rows
from burstline.workers.sending.addresses import ForbiddenAddress, gate_for
from burstline.workers.sending.dialing import Dialer
from burstline.workers.sending.flights import Flight
from burstline.workers.sending.limits import check_limits, local_port_count, most_connections, raise_file_limit
from burstline.workers.sending.sending import Sender

GUESSED_LATENCY_S = 0.1
"""For warming, while no latency of this target is known, seconds."""

LONGEST_CONNECT_S = 30.0
"""A connection is given up after this, seconds; its request may time out before."""


@dataclass(frozen=True, slots=True)
class Toolkit:
    """What requests of a plan are made and sent with.

    Attributes:
        plan: the plan.
        builders: one per request of the plan.
        rows: of the data file; empty if there is none.
        dialer: opens connections to the target.
        ok_signature: of a response that met `expect`.
        authorizer: of requests whose authorization changes, else None; to be refreshed when it says so.
        run_id: for logs.
    """

    plan: Plan
    builders: tuple[Builder, ...]
    rows: list[Row]
    dialer: Dialer
    ok_signature: str
    authorizer: Authorizer | None = None
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A segment, ready to start.

    Attributes:
        stripe: its arrivals.
        selection: which request and row each gets.
        from_count: the first position of the stripe to send.
        warm_count: connections to have open at T0; 0 opens none.
        warm_points: when to have connections open after T0; to be read once.
        latency_s: of one request, as far as known before the start, seconds.
        duration_s: of the whole plan, seconds.
    """

    toolkit: Toolkit
    stripe: Stripe
    selection: Selection
    from_count: int
    warm_count: int
    warm_points: Iterator[WarmPoint]
    latency_s: float
    duration_s: float

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.toolkit.plan

    @property
    def builders(self) -> tuple[Builder, ...]:
        """One per request of the plan."""
        return self.toolkit.builders

    @property
    def rows(self) -> list[Row]:
        """Of the data file."""
        return self.toolkit.rows

    @property
    def ok_signature(self) -> str:
        """Of a response that met `expect`."""
        return self.toolkit.ok_signature

    def choose(self, number: int) -> tuple[int, int]:
        """Return the request and row of one arrival; for closed-model users, which come one by one."""
        numbers = np.array([number], dtype=np.int64)
        return int(self.selection.requests(numbers)[0]), int(self.selection.rows(numbers)[0])

    def bind(
        self,
        answered: Callable[[Flight, int, Mapping[str, str], bytes], None],
        failed: Callable[[Flight, str], None],
        wired: Callable[[Flight], None],
    ) -> Sender:
        """Return the sender, reporting to these."""
        keep_alive_s = self.plan.connections.keep_alive_s
        return Sender(self.toolkit.dialer, keep_alive_s, most_connections(), answered, failed, wired)


async def make_toolkit(
    plan: Plan,
    run_id: str,
    allowed_hosts: Collection[str],
    files: FileCache,
    version: str,
    more_headers: Sequence[tuple[str, Text]] = (),
) -> Toolkit:
    """Read, compile and resolve what a plan's requests need.

    Args:
        plan: checked by `wire`.
        run_id: for the mark and for templates.
        allowed_hosts: besides loopback; "*" allows all.
        files: fetches uploaded files.
        version: burstline's.
        more_headers: sent with every request besides.

    Raises:
        CannotPrepare: something is missing, wrong or not allowed; the text is for the user.
    """
    url = resolve(plan.target.url)
    host = urlsplit(url).hostname or ""
    try:
        gate = gate_for(host, allowed_hosts)
    except ForbiddenAddress as error:
        raise CannotPrepare(str(error)) from error
    authorizer = await asyncio.to_thread(make_authorizer, plan, host, allowed_hosts)
    bodies = {one.body_sha256: await files.fetch(one.body_sha256) for one in plan.requests if one.body_sha256}
    rows = read_rows(plan.data, await files.fetch(plan.data.sha256)) if plan.data else []
    longest_s = max(one.timeout_s for one in plan.requests)
    try:
        dialer = Dialer(url, plan.connections, gate, min(LONGEST_CONNECT_S, longest_s))
    except OSError as error:
        raise CannotPrepare(f"a certificate file of the worker cannot be read: {error}") from error
    headers = [*our_headers(run_id, plan.marks, version), *auth_headers(plan.auth), *more_headers]
    if dialer.proxied_plain and dialer.proxy_authorization:
        headers.append(dialer.proxy_header())
    front = plan.target.front
    base, queue_url = base_url(url, front), url if front is Front.SQS else ""
    builders = tuple(
        Builder(as_sent(one, plan), base, headers, bodies, run_id, authorizer, dialer.proxied_plain, queue_url)
        for one in plan.requests
    )
    needed = frozenset().union(*(builder.names for builder in builders)) - BUILT_IN_NAMES
    if needed and not rows:
        raise CannotPrepare(f"the templates need {', '.join(sorted(needed))}, and the plan has no data")
    check_columns(rows, needed)
    return Toolkit(plan, builders, rows, dialer, f"{PREFIXES[front]}.ok", authorizer, run_id)


def prepare(
    toolkit: Toolkit, segment: int, segment_count: int, from_count: int, latency_s: float | None = None
) -> Prepared:
    """Return a segment of a plan, ready to start.

    Args:
        toolkit: of the plan.
        segment: 0 <= segment < segment_count.
        segment_count: stripes, >= 1.
        from_count: first position of the stripe to send, >= 0.
        latency_s: of one request, if it was seen, seconds.

    Raises:
        CannotPrepare: this machine has too few file descriptors or ports for it, or its bursts would be cold.
    """
    plan = toolkit.plan
    if not from_count:  # a takeover does what it can
        check_limits(plan, segment_count, latency_s or GUESSED_LATENCY_S, raise_file_limit(), local_port_count())
    schedule = Schedule(plan.load, plan.seed)
    order = plan.data.order if plan.data else DataOrder.RANDOM
    selection = Selection(plan.seed, [one.weight for one in plan.requests], len(toolkit.rows), order)
    latency_s = latency_s or GUESSED_LATENCY_S
    points = warm_points(plan.load, schedule, plan.connections, segment_count)
    count, later = warm_at_start(points, latency_s)
    stripe = Stripe(schedule, segment, segment_count)
    return Prepared(toolkit, stripe, selection, from_count, count, later, latency_s, schedule.duration_s)
