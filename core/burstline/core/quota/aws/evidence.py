"""Everything AWS said about one run: its account before, its metrics and logs after."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from burstline.core.quota.aws.backlog import Backlogs
from burstline.core.quota.aws.cloudwatch import Watch
from burstline.core.quota.aws.cold_starts import ColdStarts
from burstline.core.quota.aws.neighbours import Neighbours, PoolShare
from burstline.core.quota.aws.readings import AccountReading


@dataclass(frozen=True, slots=True)
class AwsEvidence:
    """What AWS said.

    Attributes:
        reading: quotas and settings before the run; None if AWS could not be asked.
        neighbours: other functions before the run; None likewise, or if the plan names no function.
        share: how much of the shared pool the run was expected to take; None if it is not known.
        watch: CloudWatch over the run; None until it has ended, or if it was not asked.
        cold_starts: by function; those whose log could not be read, or had no lines, are missing.
        backlogs: queue -> its counts from before the run to after it; empty if the plan has none.
        notes: sentences for the user, also about what could not be read or confirmed.
    """

    reading: AccountReading | None = None
    neighbours: Neighbours | None = None
    share: PoolShare | None = None
    watch: Watch | None = None
    cold_starts: Mapping[str, ColdStarts] = field(default_factory=dict)
    backlogs: Backlogs = field(default_factory=dict)
    notes: tuple[str, ...] = ()
