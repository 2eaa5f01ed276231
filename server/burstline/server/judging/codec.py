"""Stored bytes to our own records: the only file outside the services that knows the v1 messages."""

from google.protobuf.message import DecodeError

from burstline.core.load.outline import Outline
from burstline.core.load.plan import Plan
from burstline.core.load.window import Window
from burstline.core.quota.quotas import Account
from burstline.server.judging.record import PreflightAnswer
from burstline.v1 import resources_pb2, windows_pb2, worker_service_pb2
from burstline.wire.account import account_from_proto
from burstline.wire.errors import InvalidMessage, Violation
from burstline.wire.plan import FRONTS, plan_from_proto
from burstline.wire.window import outline_from_proto, window_from_proto


def decode_plan(body: bytes) -> Plan:
    """Return the plan of `RunRow.plan`."""
    return plan_from_proto(resources_pb2.Plan.FromString(body))


def decode_account(body: bytes | None) -> Account:
    """Return the account of `RunRow.account`."""
    return account_from_proto(None if body is None else resources_pb2.Account.FromString(body))


def decode_window(body: bytes) -> Window:
    """Return the window of `WindowRow.body`; raises InvalidMessage if the bytes are no window, or an impossible one."""
    return window_from_proto(_parsed(body))


def decode_outline(body: bytes) -> Outline:
    """Return what live totals need of it; raises as `decode_window`, for what is read."""
    return outline_from_proto(_parsed(body))


def _parsed(body: bytes) -> windows_pb2.Window:
    try:
        return windows_pb2.Window.FromString(body)
    except DecodeError as error:
        raise InvalidMessage((Violation("window", "these bytes are no window"),)) from error


def decode_preflight(body: bytes | None) -> tuple[tuple[PreflightAnswer, ...], int]:
    """Return the answers of `RunRow.preflight` and how many requests were sent."""
    if body is None:
        return (), 0
    report = worker_service_pb2.PreflightReport.FromString(body)
    return tuple(_answer(answer) for answer in report.answers), report.sent_count


def _answer(answer: worker_service_pb2.PreflightReport.Answer) -> PreflightAnswer:
    known = answer.front != resources_pb2.FRONT_UNSPECIFIED and answer.front in FRONTS
    timed = answer.HasField("latency_duration")
    return PreflightAnswer(
        request=answer.request,
        address=answer.address,
        status=answer.status,
        signature=answer.signature,
        front=FRONTS[answer.front].value if known else "",
        tls=answer.tls,
        latency_s=answer.latency_duration.ToNanoseconds() / 1e9 if timed else None,
        cache_headers=tuple(answer.cache_headers),
        problem=answer.problem,
    )
