"""A preflight as the server asks for it and is told of it."""

from google.protobuf import duration_pb2

from burstline.v1 import worker_service_pb2 as v1
from burstline.wire.errors import InvalidMessage
from burstline.wire.plan import FRONTS, plan_from_proto
from burstline.workers.errors import CannotPrepare
from burstline.workers.segments.files import FileCache
from burstline.workers.segments.preflight import Look, look, preflight_headers
from burstline.workers.segments.preparing import make_toolkit

_FRONT_NUMBERS = {front: number for number, front in FRONTS.items() if number}


async def preflight_report(
    request: v1.Preflight, files: FileCache, version: str
) -> tuple[v1.PreflightReport, float | None]:
    """Look at the target of a plan.

    Returns:
        The report; what could not be done at all is one answer with a problem and no request name. And the longest
        latency of an answer, seconds, or None.
    """
    report = v1.PreflightReport(run=request.run)
    toolkit = latency_s = None
    try:
        plan = plan_from_proto(request.plan)
        run_id = request.run.rpartition("/")[2]
        toolkit = await make_toolkit(plan, run_id, request.allowed_hosts, files, version, preflight_headers())
        looks = await look(toolkit)
        report.answers.extend(_answer(one) for one in looks)
        report.sent_count = sum(one.on_wire for one in looks)
        latency_s = max((one.latency_s for one in looks if one.status), default=None)
    except (CannotPrepare, InvalidMessage) as error:
        report.answers.append(v1.PreflightReport.Answer(problem=str(error)))
    finally:
        if toolkit is not None:
            await toolkit.dialer.close()
    return report, latency_s


def _answer(one: Look) -> v1.PreflightReport.Answer:
    latency = duration_pb2.Duration()
    latency.FromNanoseconds(int(one.latency_s * 1e9))
    return v1.PreflightReport.Answer(
        request=one.request,
        address=one.address,
        status=one.status,
        signature=one.signature,
        front=_FRONT_NUMBERS[one.front] if one.front else 0,  # type: ignore[arg-type]  # 0 is unspecified
        tls=one.tls,
        latency_duration=latency,
        cache_headers=one.cache_headers,
        problem=one.problem,
    )
