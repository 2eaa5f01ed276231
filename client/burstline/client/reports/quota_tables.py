"""Quotas and increase requests as tables and sentences."""

from collections.abc import Iterable, Sequence
from datetime import UTC

from rich.console import Console
from rich.table import Table

from burstline.v1 import quota_service_pb2 as wire

State = wire.IncreaseRequest.State


def quotas_table(quotas: Iterable[wire.Quota]) -> Table:
    """Return a table of what was read: value, use, headroom, source; or why there is no value."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("quota", "left"), ("value", "right"), ("used", "right"), ("headroom", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # literals, but for the type checker
    table.add_column("unit")
    table.add_column("from")
    for quota in quotas:
        known = quota.HasField("value")
        used = _number(quota.use) if quota.HasField("use") else ""
        headroom = f"{1 - quota.use / quota.value:.0%}" if used and known and quota.value else ""
        value = _number(quota.value) if known else "?" if quota.problem else "none"
        name = f"{quota.display_name} ({quota.quota})" if quota.quota else quota.display_name
        source = quota.problem or quota.source
        more = [*(["AWS's default"] if quota.default_value else []), *([quota.detail] if quota.detail else [])]
        table.add_row(name, value, used, headroom, quota.unit, "; ".join([source, *more]))
    return table


def print_quotas(pages: Sequence[wire.ListQuotasResponse], console: Console) -> None:
    """Print what was read, then the notes, then the actions a policy would have to allow."""
    first = pages[0]
    account = f"account ending in {first.account_last4}" if first.account_last4 else "account not known"
    console.print(f"{first.region}, {account}", markup=False, highlight=False)
    quotas = [quota for page in pages for quota in page.quotas]
    console.print(quotas_table(quotas), markup=False, highlight=False)
    for note in first.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    missing = list(dict.fromkeys(quota.missing_action for quota in quotas if quota.missing_action))
    if missing:
        text = f"missing permissions: {', '.join(missing)}; `burstline iam-policy PLAN` prints the policy"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def increase_text(request: wire.IncreaseRequest) -> str:
    """Return a request for a reader: current, asked for, derivation, and the text for AWS Support."""
    support = [
        "  for AWS Support, if a case is opened:",
        *(f"    {line}" for line in request.justification.splitlines()),
    ]
    return "\n".join(
        (
            f"{request.display_name} ({request.quota}) in {request.region}",
            f"  current:    {_number(request.current_value)}",
            f"  requested:  {_number(request.desired_value) if request.desired_value else 'nothing'}",
            f"  derivation: {request.derivation or 'your own number'}",
            *(support if request.justification else ()),
        )
    )


def increases_table(requests: Iterable[wire.IncreaseRequest]) -> Table:
    """Return a table of requests, newest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("made", "quota", "region", "from", "asked for", "state", "now", "what it means"):
        table.add_column(name)
    for one in requests:
        table.add_row(
            one.create_time.ToDatetime(tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
            one.quota,
            one.region,
            _number(one.current_value),
            _number(one.desired_value),
            State.Name(one.state).lower(),
            _number(one.value_after) if one.HasField("value_after") else "",
            one.explanation + (f" Case {one.case_id}." if one.case_id else ""),
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,g}"
