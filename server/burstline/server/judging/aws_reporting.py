"""The report's section `aws`: what was read, what CloudWatch and the logs said, and what could not be confirmed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from burstline.core.quota.aws.backlog import BacklogPoint, dead_letters
from burstline.core.quota.aws.cloudwatch import Watch
from burstline.core.quota.aws.evidence import AwsEvidence
from burstline.core.quota.aws.readings import Reading


def aws_document(evidence: AwsEvidence | None) -> dict[str, Any] | None:
    """Return the section as JSON types; None if AWS was not asked."""
    if evidence is None:
        return None
    reading = evidence.reading
    return {
        "region": reading.region if reading else None,
        "readings": [_reading(one) for one in reading.readings] if reading else [],
        "missing_actions": list(reading.missing_actions()) if reading else [],
        "neighbours": _neighbours(evidence),
        "cloudwatch": _watch(evidence.watch),
        "queues": [_queue(name, points) for name, points in sorted(evidence.backlogs.items())],
        "cold_starts": [asdict(one) | {"cold_ratio": one.cold_ratio} for one in evidence.cold_starts.values()],
    }


def _reading(reading: Reading) -> dict[str, Any]:
    return {
        "name": reading.name,
        "quota": reading.quota or None,
        "value": reading.value,
        "unit": reading.unit,
        "source": reading.source,
        "read_at": datetime.fromtimestamp(reading.read_at_s, UTC).isoformat(timespec="seconds"),
        "default": reading.default,
        "adjustable": reading.adjustable,
        "detail": reading.detail,
        "missing_action": reading.missing_action or None,
        "problem": reading.problem or None,
    }


def _neighbours(evidence: AwsEvidence) -> dict[str, Any] | None:
    found = evidence.neighbours
    if found is None:
        return None
    return {
        "window_s": found.window_s,
        "peaks": dict(sorted(found.peaks.items())),
        "throttles": dict(sorted(found.throttles.items())),
        "claimed": found.claimed,
        "reserved_by_others": found.reserved_by_others,
        "share": evidence.share.text if evidence.share else None,
    }


def _queue(name: str, points: Sequence[BacklogPoint]) -> dict[str, Any]:
    return {
        "name": name,
        "peak_waiting": max((point.waiting for point in points), default=None),
        "dead_letters": dead_letters(points),
        "points": [
            {
                "at": datetime.fromtimestamp(point.at_s, UTC).isoformat(timespec="seconds"),
                "waiting": point.waiting,
                "in_flight": point.in_flight,
                "dead": point.dead,
            }
            for point in points
        ],
    }


def _watch(watch: Watch | None) -> dict[str, Any] | None:
    if watch is None:
        return None
    return {
        "from_s": watch.from_s,
        "to_s": watch.to_s,
        "complete": watch.complete,
        "waited_s": watch.waited_s,
        "series": [
            {
                "metric": f"{one.metric.namespace} {one.metric.name}",
                "statistic": one.metric.statistic,
                "dimensions": dict(one.metric.dimensions),
                "points": [list(point) for point in one.points],
            }
            for one in watch.series
            if one.points
        ],
    }
