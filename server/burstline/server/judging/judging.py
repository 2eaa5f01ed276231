"""What a run came to: from everything that was measured to the report (design 9, `burstline.report/v1`)."""

from typing import Any

from burstline.server.judging.record import PreflightAnswer, RunRecord, WorkerInfo
from burstline.server.judging.reporting import document
from burstline.server.judging.weighing import weigh

__all__ = ["PreflightAnswer", "RunRecord", "WorkerInfo", "judge"]


def judge(record: RunRecord) -> dict[str, Any]:
    """Return the report of a run: a JSON document of schema `burstline.report/v1`, without NaN."""
    return document(record, weigh(record))
