"""What a run left in a queue, as the queue itself and CloudWatch say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from burstline.core.quota.aws.cloudwatch import Watch
from burstline.core.quota.quotas import Queue

WAITING, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"


@dataclass(frozen=True, slots=True)
class BacklogPoint:
    """A queue at one moment; all counts are AWS's approximations.

    Attributes:
        at_s: seconds since the Unix epoch.
        waiting: messages that wait to be received.
        in_flight: received, and not deleted yet.
        dead: messages in its dead-letter queue; None if there is none, or it could not be read.
    """

    at_s: float
    waiting: int
    in_flight: int
    dead: int | None = None


def backlog_notes(queue: Queue, points: Sequence[BacklogPoint], watch: Watch) -> tuple[str, ...]:
    """Return sentences on a queue's backlog, the age of its oldest message, and its dead-letter queue.

    Args:
        queue: which.
        points: from before the run to after it, in order; the first is the state that was found.
        watch: what CloudWatch said.
    """
    peak = max((float(point.waiting) for point in points), default=0.0)
    peak = max(peak, watch.queue_peak(WAITING, queue.name) or 0.0)
    age_s = watch.queue_peak(AGE, queue.name)
    notes = []
    if peak:
        oldest = f", the oldest for {age_s:,.0f} s" if age_s is not None else ""
        left = points[-1].waiting + points[-1].in_flight if points else 0
        rest = f"; {left:,} were not done at the last look" if left else ""
        notes.append(f"Queue {queue.name}: up to {peak:,.0f} messages waited{oldest}{rest}.")
    dead = dead_letters(points)
    if dead:
        notes.append(f"Queue {queue.dead_letter_queue}: {dead:,} messages came to this dead-letter queue.")
    return tuple(notes)


def dead_letters(points: Sequence[BacklogPoint]) -> int | None:
    """Return how many messages came to the dead-letter queue; None if that is not known."""
    counts = [point.dead for point in points if point.dead is not None]
    return max(0, max(counts) - counts[0]) if len(counts) > 1 else None


Backlogs = Mapping[str, Sequence[BacklogPoint]]
"""Points of each queue by its name."""
