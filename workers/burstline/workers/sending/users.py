"""Closed-model phases: each user sends, waits for the answer, thinks, and sends again. No lateness, no due time."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from burstline.core.load.schedule import Stripe, UsersPhase
from burstline.workers.sending.pacing import BATCH_COUNT, Clock
from burstline.workers.sending.timer import Timer

SHORTEST_PAUSE_S = 0.01
"""A user whose request was dropped or found no target pauses at least this long, so that no loop spins."""

_FIRST_NUMBER = 1 << 40
"""Users' requests have no number in the schedule; theirs start above every schedule's."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of one phase.

    Attributes:
        phase: which one.
        index: among all workers' users of that phase, >= 0.
    """

    phase: UsersPhase
    index: int


class UserLoops:
    """Runs this stripe's users through all closed-model phases.

    Args:
        stripe: users are striped like arrivals.
        clock: run time.
        may_send: asked before every batch; False ends all users for good.
        fire: sends one request now: user slot, number, phase index, time; the answer must come to `answered(slot)`,
            or at once `dropped(slot)` if it was not sent.
        ended: called once, when no user will send again.
        from_s: run time before which nothing is sent (a takeover starts in the middle).
    """

    def __init__(
        self,
        stripe: Stripe,
        clock: Clock,
        may_send: Callable[[], bool],
        fire: Callable[[int, int, int, float], None],
        ended: Callable[[], None],
        from_s: float = 0.0,
    ) -> None:
        self._clock, self._may_send, self._fire, self._ended = clock, may_send, fire, ended
        self.users = _users(stripe)
        self._sent = [0] * len(self.users)
        starts = ((max(user.phase.start_s, from_s), slot) for slot, user in enumerate(self.users))
        self._wakes = [(at_s, slot) for at_s, slot in starts if at_s < self.users[slot].phase.end_s]
        heapq.heapify(self._wakes)
        self._busy = 0
        self._timer: Timer | None = None
        self.done = False

    def begin(self, timer: Timer) -> None:
        """Start; `timer` must call `wake`."""
        self._timer = timer
        self.wake()

    def wake(self) -> None:
        """Fire one batch of what is due, and arm the timer for the next."""
        if self.done or self._timer is None:
            return
        if not self._may_send():
            self._wakes.clear()
        now_s, fired = self._clock.now(), 0
        while self._wakes and self._wakes[0][0] <= now_s and fired < BATCH_COUNT:
            _, slot = heapq.heappop(self._wakes)
            user = self.users[slot]
            if now_s >= user.phase.end_s:
                continue
            number = _FIRST_NUMBER * (user.phase.index + 1) + user.index + self._sent[slot] * user.phase.users
            self._sent[slot] += 1
            self._busy += 1
            fired += 1
            self._fire(slot, number, user.phase.index, now_s)
            now_s = self._clock.now()
        if self._wakes:
            self._timer.arm(self._clock.instant_of(self._wakes[0][0]))
        elif not self._busy:
            self._end()

    def answered(self, slot: int, reached: bool) -> None:
        """A user's request has its outcome; `reached` is whether the target could be spoken to."""
        self._again(slot, 0.0 if reached else SHORTEST_PAUSE_S)

    def dropped(self, slot: int) -> None:
        """A user's request was not sent."""
        self._again(slot, SHORTEST_PAUSE_S)

    def _again(self, slot: int, at_least_s: float) -> None:
        self._busy -= 1
        if self.done or self._timer is None:
            return
        phase = self.users[slot].phase
        at_s = self._clock.now() + max(phase.think_s, at_least_s)
        if at_s < phase.end_s:
            heapq.heappush(self._wakes, (at_s, slot))
        if self._wakes:
            self._timer.arm(self._clock.instant_of(self._wakes[0][0]))
        elif not self._busy:
            self._timer.arm(self._clock.instant_of(self._clock.now()))

    def stop(self) -> None:
        """Fire nothing more; answers under way are not waited for."""
        self._wakes.clear()
        if not self.done:
            self._end()

    def _end(self) -> None:
        self.done = True
        if self._timer is not None:
            self._timer.disarm()
        self._ended()


def _users(stripe: Stripe) -> Sequence[User]:
    return [
        User(phase, stripe.segment + place * stripe.segment_count)
        for phase in stripe.schedule.users_phases
        for place in range(stripe.users(phase))
    ]
