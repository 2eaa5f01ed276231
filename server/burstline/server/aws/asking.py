"""What all readers share: whom they ask, and how an answer or a refusal becomes a reading."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from burstline.core.quota.aws.iam import Scope
from burstline.core.quota.aws.readings import Reading
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError, Denied


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a reader asks, and about what.

    Attributes:
        aws: makes the calls.
        scope: what the plan touches.
        now_s: seconds since the Unix epoch.
        notes: sentences that readers add for the user.
    """

    aws: Aws
    scope: Scope
    now_s: Callable[[], float] = time.time
    notes: list[str] = field(default_factory=list)

    def reading(self, source: str, name: str, value: float | None, **more: Any) -> Reading:
        """Return a reading of `source` (`lambda GetAccountSettings`), read now."""
        return Reading(
            name=name, value=None if value is None else float(value), source=source, read_at_s=self.now_s(), **more
        )

    def unread(self, source: str, name: str, error: AwsError, **more: Any) -> Reading:
        """Return a reading that says why there is no value."""
        action = error.action if isinstance(error, Denied) else ""
        more.pop("value", None)
        return Reading(
            name=name, source=source, read_at_s=self.now_s(), missing_action=action, problem=error.message, **more
        )
