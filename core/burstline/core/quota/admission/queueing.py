"""Messages that wait in a queue until its event source begins them: step by step, by the calls that it may make.

The source makes as many calls at a time as it has grown to, and no more than its own ceiling or the function's allows.
A call takes up to a batch of what waits, and holds its place until it ends.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from burstline.core.quota.admission.event_source import SourceScaling
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.quotas import Queue


@dataclass(frozen=True, slots=True)
class WorkedOff:
    """What a queue makes of its messages; arrays by the end of each step, the first of which is the start.

    Attributes:
        step_s: seconds.
        came: messages so far.
        begun: those that a call took.
        calls: that were made so far.
        busy: at a time.
    """

    step_s: float
    came: Floats
    begun: Floats
    calls: Floats
    busy: Floats

    @property
    def waiting(self) -> Floats:
        """Messages that no call has taken yet."""
        found: Floats = self.came - self.begun
        return found

    @property
    def is_empty(self) -> bool:
        """Whether all messages were begun."""
        return bool(self.waiting[-1] < 1.0 - 1e-6)

    @property
    def longest_wait_s(self) -> float:
        """The longest time from coming to being begun, as far as was looked, seconds."""
        late = self.came > self.begun[-1] + 0.5
        place = np.minimum(np.searchsorted(self.begun, self.came - 1e-6), len(self.begun) - 1)
        waits = np.where(late, len(self.begun) - 1, place) - np.arange(len(self.came))
        # what waits longest came as the first of those that came in its step
        return float(waits[self.came > 0].max(initial=0)) * self.step_s

    def starts_s(self, count: int) -> Floats:
        """Return when each of the first `count` messages is begun, ascending seconds; all of them were."""
        steps = np.searchsorted(self.begun, np.arange(1, count + 1) - 1e-6)
        found: Floats = steps.astype(np.float64) * self.step_s
        return found


def work_off(
    came: Floats, step_s: float, queue: Queue, service_s: Floats | float, *, cap: int | None = None, most_steps: int
) -> WorkedOff:
    """Follow a queue until it is empty.

    Args:
        came: messages by the end of each step, starting with 0; later on none come.
        step_s: seconds, > 0.
        queue: its batches and its event source.
        service_s: how long a call takes, > 0: one time for all, or one for each in the order in which they are made.
        cap: calls at a time that the function may have; None is no bound.
        most_steps: how far to look.
    """
    source = SourceScaling(queue)
    each: Floats = np.atleast_1d(np.asarray(service_s, np.float64))
    alike = len(each) == 1
    # a call much shorter than a step leaves its place to others within it
    turns = max(1.0, step_s / float(each[0])) if alike else 1.0
    lasts = np.maximum(1, np.ceil(each / step_s - 1e-9)).astype(np.int64)
    ending: dict[int, float] = {}
    begun, calls, busy = [0.0], [0.0], [0.0]
    for step in range(1, most_steps):
        there = float(came[min(step, len(came) - 1)]) - begun[-1]
        running = busy[-1] - ending.pop(step, 0.0)
        limit = source.limit(step * step_s, there >= 1.0)
        limit = limit if cap is None else min(limit, cap)
        made = max(0, min(int((limit - running) * turns + 1e-6), ceil(there / queue.batch - 1e-6)))
        if there < 1.0 - 1e-6:
            made = 0
        first = int(calls[-1])
        for length in lasts.tolist() * min(1, made) if alike else lasts[first : first + made].tolist():
            ending[step + length] = ending.get(step + length, 0.0) + (made / turns if alike else 1.0)
        begun.append(begun[-1] + min(there, made * queue.batch))
        calls.append(calls[-1] + made)
        busy.append(running + made / turns)
        if step >= len(came) - 1 and (came[-1] - begun[-1] < 1.0 - 1e-6 or not (made or ending)):
            break
    padded = np.concatenate((came, np.full(max(0, len(begun) - len(came)), came[-1])))[: len(begun)]
    return WorkedOff(step_s, padded, np.array(begun), np.array(calls), np.array(busy))
