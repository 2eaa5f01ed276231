"""`QuotaService` on the wire: quotas read with the server's own AWS credentials, and requests for more."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from burstline.core.quota.aws.iam import Scope, scope_of
from burstline.core.quota.aws.readings import AccountReading, Reading
from burstline.server.aws.errors import Absent, AwsError, Denied, Unreachable
from burstline.server.aws.settings import Asking, AwsSettings
from burstline.server.clock import Clock, nanos
from burstline.server.errors import InvalidRequest, NotFound, ServerError, WrongState
from burstline.server.services.paging import offset_of, offset_token, page_size, row_of, row_token
from burstline.server.services.stored_runs import run_id
from burstline.server.settings import ServerSettings
from burstline.server.store.increase_rows import IncreaseRow, IncreaseRows
from burstline.server.store.store import Store
from burstline.v1 import quota_service_pb2 as wire
from burstline.v1 import quota_service_pb2_grpc
from burstline.v1 import resources_pb2 as v1
from burstline.wire.errors import Violation
from burstline.wire.plan import plan_from_proto

if TYPE_CHECKING:  # what asks AWS is imported when someone asks: a run does not wait for it
    from burstline.server.aws.calling import Aws
    from burstline.server.control.increasing import Increasing

MOST_QUOTAS = 1_000


def _make_aws(settings: AwsSettings) -> "Aws":
    from burstline.server.aws.calling import Aws

    return Aws(settings)


class QuotaService(quota_service_pb2_grpc.QuotaServiceServicer):
    """Reads quotas, asks for more, follows what was asked.

    Args:
        store: reports, and requests.
        clock: the server's.
        settings: among them whether and as whom AWS is asked.
        make_aws: makes what asks AWS; tests give their own.
    """

    def __init__(
        self, store: Store, clock: Clock, settings: ServerSettings, make_aws: "Callable[[AwsSettings], Aws]" = _make_aws
    ) -> None:
        self._store, self._clock, self._settings, self._make_aws = store, clock, settings, make_aws
        self._rows = IncreaseRows(store)
        self._by_region: dict[str, Aws] = {}

    @cached_property
    def _increasing(self) -> "Increasing":
        from burstline.server.control.increasing import Increasing

        return Increasing(self._rows, self._clock)

    def close(self) -> None:
        """Close the connections to AWS."""
        for aws in self._by_region.values():
            aws.close()
        self._by_region.clear()

    async def ListQuotas(self, request: wire.ListQuotasRequest, context: object) -> wire.ListQuotasResponse:
        """Read quotas and settings; the first page reads anew."""
        from burstline.server.aws.reading import read_account
        from burstline.server.aws.using import with_use

        plan = plan_from_proto(request.plan) if request.HasField("plan") else None
        scope = scope_of(plan, request.region) if plan is not None else Scope(region=request.region or "*")
        size, start = page_size(request.page_size or MOST_QUOTAS), offset_of(request.page_token)
        aws = self._aws(scope.region)
        if not start:
            aws.forget()
        try:
            found = await with_use(aws, await read_account(aws, scope))
        except AwsError as error:
            raise aws_error(error) from error
        return _page(found, start, size)

    async def RequestIncrease(self, request: wire.RequestIncreaseRequest, context: object) -> wire.IncreaseRequest:
        """Show or send a request for more of a quota."""
        from burstline.server.control.increasing import parse_report

        self._check(request)
        run = run_id(request.run)
        row = await self._store.run(run)
        if row is None:
            raise NotFound(f"there is no {request.run}", reason="RUN_NOT_FOUND", run=request.run)
        report = parse_report(await self._store.report(run), run)
        plan = v1.Plan()
        plan.ParseFromString(row.plan)
        scope = scope_of(plan_from_proto(plan), request.region)
        aws = self._aws(scope.region)
        aws.forget()
        try:
            if request.validate_only:
                draft = await self._increasing.draft(aws, run, report, request.quota, request.desired_value)
                return increase_to_proto(draft.row, sendable=not draft.obstacle)
            may = not request.support_case_disallowed
            sent = await self._increasing.send(aws, run, report, request.quota, request.desired_value, support_case=may)
        except Absent as error:
            raise NotFound(
                f"AWS has no quota {request.quota}", reason="QUOTA_NOT_FOUND", quota=request.quota
            ) from error
        except AwsError as error:
            raise aws_error(error) from error
        return increase_to_proto(sent)

    async def ListIncreaseRequests(
        self, request: wire.ListIncreaseRequestsRequest, context: object
    ) -> wire.ListIncreaseRequestsResponse:
        """Return a page of requests; those that have not ended are looked up at AWS."""
        size = page_size(request.page_size)
        rows = await self._rows.page(size + 1, row_of(request.page_token))
        shown = []
        for row in rows[:size]:
            aws = self._aws(row.region) if self._settings.aws.asking is not Asking.NEVER else None
            if aws is not None:
                aws.forget()
            shown.append(increase_to_proto(row if aws is None else await self._increasing.follow(aws, row)))
        last = rows[size - 1] if len(rows) > size else None
        token = row_token(last.create_nanos, last.id) if last else ""
        return wire.ListIncreaseRequestsResponse(increase_requests=shown, next_page_token=token)

    def _check(self, request: wire.RequestIncreaseRequest) -> None:
        violations = []
        if request.quota.count(":") != 1 or request.quota.startswith(":") or request.quota.endswith(":"):
            violations.append(Violation("quota", f"{request.quota!r} is not of the form SERVICE:CODE"))
        if not 0 <= request.desired_value <= 1e10:
            violations.append(Violation("desired_value", f"{request.desired_value:g}: allowed are 0 to 1e10"))
        if violations:
            raise InvalidRequest(violations)
        if not (request.confirmed or request.validate_only):
            text = "nothing was sent: look at it with validate_only, then confirm"
            raise WrongState(text, reason="NOT_CONFIRMED", quota=request.quota)

    def _aws(self, region: str) -> "Aws":
        """Return who asks a region; "*" is the one that the server's own settings lead to."""
        settings = self._settings.aws
        if settings.asking is Asking.NEVER:
            raise WrongState("this server does not ask AWS", reason="AWS_OFF")
        if region not in self._by_region:
            own = settings if region in ("*", "") else replace(settings, region=region)
            self._by_region[region] = self._make_aws(own)
        return self._by_region[region]


def aws_error(error: AwsError) -> ServerError:
    """Return what a caller is told when AWS could not be asked, or refused."""
    if isinstance(error, Denied):
        text = f"AWS: {error.message}; `burstline iam-policy PLAN` prints the policies"
        return WrongState(text, reason="AWS_DENIED", action=error.action)
    return WrongState(error.message, reason="AWS_UNREACHABLE" if isinstance(error, Unreachable) else "AWS_REFUSED")


def quota_to_proto(reading: Reading) -> wire.Quota:
    """Return a reading as a message."""
    message = wire.Quota(
        display_name=reading.name,
        path=reading.path,
        quota=reading.quota,
        unit=reading.unit,
        source=reading.source,
        default_value=reading.default,
        detail=reading.detail,
        missing_action=reading.missing_action,
        problem=reading.problem,
        use_source=reading.use_source,
    )
    message.read_time.FromNanoseconds(nanos(reading.read_at_s))
    if reading.value is not None:
        message.value = reading.value
    if reading.adjustable is not None:
        message.adjustable = reading.adjustable
    if reading.use is not None:
        message.use = reading.use
    return message


def increase_to_proto(row: IncreaseRow, *, sendable: bool = False) -> wire.IncreaseRequest:
    """Return a request as a message."""
    message = wire.IncreaseRequest(
        name=f"increaseRequests/{row.id}" if row.id else "",
        run=f"runs/{row.run}",
        quota=row.quota,
        display_name=row.display_name,
        region=row.region,
        account_last4=row.account_last4,
        current_value=row.current_value,
        desired_value=row.desired_value,
        derivation=row.derivation,
        justification=row.justification,
        state=_STATES.get(row.state, wire.IncreaseRequest.State.STATE_UNSPECIFIED),
        aws_request_id=row.aws_request_id,
        case_id=row.case_id,
        explanation=row.explanation,
        sendable=sendable,
    )
    message.create_time.FromNanoseconds(row.create_nanos)
    message.update_time.FromNanoseconds(row.update_nanos)
    if row.value_after is not None:
        message.value_after = row.value_after
    return message


_STATES = dict(wire.IncreaseRequest.State.items())


def _page(found: AccountReading, start: int, size: int) -> wire.ListQuotasResponse:
    end = start + size
    return wire.ListQuotasResponse(
        quotas=[quota_to_proto(reading) for reading in found.readings[start:end]],
        notes=found.notes if not start else (),
        region=found.region,
        account_last4=found.account_last4 or "",
        next_page_token=offset_token(end) if end < len(found.readings) else "",
    )
