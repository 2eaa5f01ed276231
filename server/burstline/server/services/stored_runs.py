"""Runs as the store has them, as messages: all that looking at runs needs."""

from burstline.server.errors import InvalidRequest, NotFound, WrongState
from burstline.server.services.paging import page_size, row_of, row_token
from burstline.server.store.rows import RunRow
from burstline.server.store.store import Store
from burstline.v1 import resources_pb2 as v1
from burstline.v1 import run_service_pb2 as wire
from burstline.wire.errors import Violation


async def page_of_runs(store: Store, asked_size: int, token: str) -> wire.ListRunsResponse:
    """Return a page of runs, newest first, without their plans' bodies; raises InvalidRequest."""
    size = page_size(asked_size)
    rows = await store.runs(size + 1, row_of(token))
    following = row_token(rows[size - 1].create_nanos, rows[size - 1].id) if len(rows) > size else ""
    return wire.ListRunsResponse(runs=[run_to_proto(row, brief=True) for row in rows[:size]], next_page_token=following)


async def report_of_run(store: Store, row: RunRow) -> bytes:
    """Return the report of a run, UTF-8 JSON; raises WrongState if there is none."""
    name = f"runs/{row.id}"
    if not row.state.final:
        state = row.state.value
        raise WrongState(
            f"{name} is {state}: its report is there when it has ended", reason="RUN_NOT_ENDED", run=name, state=state
        )
    document = await store.report(row.id)
    if document is None:
        raise WrongState(f"{name} has no report: {row.reason}", reason="NO_REPORT", run=name)
    return document


def run_id(name: str) -> str:
    """Return the id in `runs/{run}`; raises InvalidRequest or NotFound."""
    head, _, tail = name.partition("/")
    if head != "runs" or not tail:
        raise InvalidRequest([Violation("name", f"{name!r} is not of the form runs/RUN")])
    if len(tail) > 40 or "/" in tail:
        raise NotFound(f"there is no {name}", reason="RUN_NOT_FOUND", run=name)
    return tail


def run_to_proto(row: RunRow, *, brief: bool = False) -> v1.Run:
    """Return a run as a message; `brief` leaves plan and account out but for the plan's name."""
    message = v1.Run(
        name=f"runs/{row.id}",
        state=v1.Run.State.Value(row.state.value),
        verdict=row.verdict,
        reason=row.reason,
        worker_count=row.worker_count,
    )
    if brief:
        message.plan.name = row.name
    else:
        message.plan.ParseFromString(row.plan)
        if row.account is not None:
            message.account.ParseFromString(row.account)
    message.create_time.FromNanoseconds(row.create_nanos)
    if row.start_nanos is not None:
        message.start_time.FromNanoseconds(row.start_nanos)
    if row.end_nanos is not None:
        message.end_time.FromNanoseconds(row.end_nanos)
    return message
