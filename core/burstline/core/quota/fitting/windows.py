"""Window counters (placeholder for now)."""

from burstline.core.quota.fitting.evidence import Evidence
from burstline.core.quota.fitting.laws import Explanation


def fit_windows(evidence: Evidence, low: int, high: int) -> list[Explanation]:
    """Return nothing."""
    return []
