"""A request for more of a quota, from a run's report to AWS's decision: checked, stored, sent once, followed."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from burstline.core.quota.aws.justification import Wanted, advised_quotas, justification, wanted_of
from burstline.server.aws import increases
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import Absent, AwsError
from burstline.server.clock import Clock
from burstline.server.errors import InvalidRequest, WrongState
from burstline.server.store.increase_rows import IncreaseRow, IncreaseRows
from burstline.wire.errors import Violation


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be asked.

    Attributes:
        row: as it would be stored; its id is "".
        obstacle: why it would not be sent; "" if it would.
    """

    row: IncreaseRow
    obstacle: str


class Increasing:
    """Makes and follows requests. One at a time, so that two calls cannot both find that none is open.

    Args:
        rows: where they are kept.
        clock: when they are made.
    """

    def __init__(self, rows: IncreaseRows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._lock = asyncio.Lock()

    async def draft(self, aws: Aws, run: str, report: Mapping[str, Any], quota: str, desired: float) -> Draft:
        """Return what would be asked for a run's report, and what stands in the way.

        Args:
            aws: whom to ask.
            run: the run's id.
            report: the run's.
            quota: `SERVICE:CODE`.
            desired: 0 takes what the report recommends.

        Raises:
            InvalidRequest: the report says nothing about the quota, or recommends no value and none is given.
            AwsError: the quota could not be read.
        """
        wanted = wanted_of(report, quota)
        if wanted is None and not desired:
            advised = ", ".join(advised_quotas(report)) or "none"
            raise InvalidRequest([Violation("quota", f"the report advises nothing on {quota}; it does on: {advised}")])
        wanted = wanted or Wanted(quota, None, True, "")
        now = await increases.quota_now(aws, quota)
        pending = await increases.open_request(aws, quota)
        value = desired or wanted.value or 0.0
        region, last4 = await aws.region(), await _last4(aws)
        obstacle = increases.obstacle(now, value, pending) if value or not now.adjustable else _no_value(wanted)
        at = self._clock.now_nanos()
        # "raise from 90 to 90" tells AWS nothing
        raised = now.adjustable and value > now.value
        text = justification(report, wanted, now.value, value, region, last4) if raised else ""
        row = IncreaseRow(
            id="", run=run, quota=quota, display_name=now.name, region=region, account_last4=last4,
            current_value=now.value, desired_value=value, derivation=wanted.derivation,
            justification=text,
            state=increases.NOT_SENT, explanation=obstacle, create_nanos=at, update_nanos=at,
        )  # fmt: skip
        return Draft(row, obstacle)

    async def send(
        self, aws: Aws, run: str, report: Mapping[str, Any], quota: str, desired: float, *, support_case: bool
    ) -> IncreaseRow:
        """Ask AWS unless something stands in the way; return what became of it. Raises as `draft`, and `Denied`."""
        async with self._lock:
            draft = await self.draft(aws, run, report, quota, desired)
            if draft.obstacle:
                return draft.row
            # Committed first: if we die while AWS is asked, the row says that it may have been.
            uncertain = "AWS was being asked when the server ended: it may have the request."
            row = replace(draft.row, id=uuid4().hex, state=increases.UNCERTAIN, explanation=uncertain)
            await self._rows.add(row)
            try:
                sent = await increases.send_request(aws, quota, row.desired_value, support_case=support_case)
            except AwsError as error:
                await self._rows.change(replace(row, state=increases.NOT_SENT, explanation=error.message))
                raise
            row = _with(row, sent, self._clock.now_nanos())
            await self._rows.change(row)
            return row

    async def follow(self, aws: Aws, row: IncreaseRow) -> IncreaseRow:
        """Return a request as AWS has it now; one that has ended is read no more, but its quota is, once.

        What cannot be looked up stays as it was, with the reason in `explanation`.
        """
        if row.state == increases.NOT_SENT or row.value_after is not None:
            return row
        async with self._lock:
            try:
                found = await self._found(aws, row)
            except AwsError as error:
                return replace(row, explanation=f"not looked up: {error.message}")
            if found is None:
                return row
            row = _with(row, found, self._clock.now_nanos())
            if row.state not in increases.OPEN:
                row = await _read_after(aws, row)
            await self._rows.change(row)
            return row

    async def _found(self, aws: Aws, row: IncreaseRow) -> increases.Request | None:
        """Return AWS's side of a request; None if it is not there any more, or was never found."""
        if row.aws_request_id:
            try:
                return await increases.follow_request(aws, row.aws_request_id)
            except Absent:
                return None
        found = await increases.open_request(aws, row.quota)
        return found if found is not None and found.value == row.desired_value else None


def parse_report(document: bytes | None, run: str) -> dict[str, Any]:
    """Return a stored report; raises WrongState if there is none."""
    if document is None:
        raise WrongState(f"runs/{run} has no report", reason="NO_REPORT", run=run)
    found: dict[str, Any] = json.loads(document)
    return found


async def _last4(aws: Aws) -> str:
    try:
        return str((await aws.read("sts", "GetCallerIdentity")).get("Account", ""))[-4:]
    except AwsError:
        return ""


async def _read_after(aws: Aws, row: IncreaseRow) -> IncreaseRow:
    """Read the quota of a request that has ended: `CASE_CLOSED` does not say whether it was granted."""
    try:
        value: float | None = (await increases.quota_now(aws, row.quota)).value
    except AwsError:
        value = None
    return replace(row, value_after=value, explanation=increases.outcome_text(row.state, row.desired_value, value))


def _with(row: IncreaseRow, sent: increases.Request, at_nanos: int) -> IncreaseRow:
    return replace(
        row,
        state=sent.state,
        aws_request_id=sent.id or row.aws_request_id,
        case_id=sent.case_id or row.case_id,
        explanation=sent.explanation,
        update_nanos=at_nanos,
    )


def _no_value(wanted: Wanted) -> str:
    more = f" What else would do: {' '.join(wanted.alternatives)}" if wanted.alternatives else ""
    return f"The report recommends no value for {wanted.quota}: an increase will not help.{more}"
