"""The search for the highest rate that holds, and the limit that stops it, in as few requests as possible.

Pure: `search` proposes probes and is told their outcomes. Bursts from idle, each twice the last, find what is let in
at once (a bucket's burst, or calls in flight); a second burst after a short wait shows how fast that comes back; an
overload with the bucket empty measures the refill; a last stretch just below the answer shows that it holds. What a
cap on calls in flight lets through hangs on how long calls take: a stretch well below the answer, where none is
refused, tells that as well as wanted. Each kind of probe ends at its first throttles: no probe is repeated at a higher
load once one was throttled.
"""

from collections.abc import Generator
from math import ceil

import numpy as np

from burstline.core.load.plan import Pause, Phase
from burstline.core.quota.quotas import Family
from burstline.core.quota.search.answer import Bounds, Found, Unanswerable
from burstline.core.quota.search.asking import Asker
from burstline.core.quota.search.capped import allowed_count, highest_rate_under, wanted_count
from burstline.core.quota.search.probing import Probe, ProbeOutcome, burst, drained, steady, width_of

FIRST_BURST = 16
ENOUGH = 300
"""Requests from which a rate is known to half a per cent."""

OVER = 1.3
"""An overload over the refill that is expected."""

HELD = 0.99
"""The share of the answer that is shown to hold."""

HOLD_S = 5.0
LEARNING = 0.9
"""The share of the answer at which service times are learnt: nothing is refused there, each request teaches one."""

LEARNINGS = 3
"""Most stretches of learning: how much times vary is known better after each."""

LEAST_S, LONGEST_S = 1.0, 12.0
FIRST, EMPTYING = "first", "emptying"
"""The first half of an overload; and what goes before it where a burst empties too little."""

MOST_LONGER = 8.0

DRAIN = 1.15
"""A burst that empties a bucket, over what was let in at once."""

UNSURE = 0.2
"""Of the calls in flight by Little's law, and of what comes back, as short probes show them; relative."""

LONGEST_REST_S = 300.0

Probing = Generator[Probe, ProbeOutcome, Found]


def search(bounds: Bounds) -> Probing:
    """Propose probes, take each one's outcome by `send`, and return the answer.

    Raises:
        Unanswerable: a probe could not be sent as asked, time and again, or the bounds are too narrow.
    """
    return _Search(bounds).run()


class _Search:
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.asker = Asker(bounds)
        self.at_once: float | None = None
        self.burst_size = 0
        self.refill_per_s = 0.0
        self.is_cap = False
        self.emptying: tuple[Phase, ...] = ()

    def run(self) -> Probing:
        """The whole search."""
        size = yield from self._bursts()
        if self.at_once is not None:
            expected = yield from self._refill(size)
        else:
            expected = float(size) / 2
        if expected < 0 or self.at_once is None:
            expected, reached = yield from self._ladder(abs(expected))
            if not reached:
                return self._nothing(expected)
        outcome, rate = yield from self._overload(expected)
        if outcome is None:
            return self._nothing(rate)
        law = self._law(outcome, rate)
        rate, cap = self._rate_of(outcome, law, rate)
        if cap is not None:
            rate = yield from self._learn(cap, rate)
        held, rate = yield from self._hold(rate)
        if cap is not None and held is not None:
            rate = max(held, highest_rate_under(round(cap), self.asker.services_s))
        if self.at_once is not None and cap is None and self.at_once > rate * self.bounds.rest_s:
            yield from self._burst_again(rate)
        return self._found(outcome, law, rate, cap, held)

    def _bursts(self) -> Generator[Probe, ProbeOutcome, int]:
        """Double bursts from idle until one is throttled; return the last size."""
        size, pace = FIRST_BURST, self.bounds.burst_pace_per_s
        while True:
            outcome = yield from self.asker.ask(burst(size, pace), f"a burst of {size:,} from idle")
            part = outcome.part()
            if part.throttled:
                self.at_once, self.burst_size = float(part.accepted), size
                return size
            if 2 * size > min(self.bounds.rate_per_s, self.bounds.in_flight):
                return size
            size *= 2

    def _refill(self, size: int) -> Generator[Probe, ProbeOutcome, float]:
        """Empty it, wait, and send as much again: what is let in then has come back in the meantime.

        A bucket gives back its rate times the wait; calls in flight give back whatever has ended: after a wait longer
        than nearly all calls, everything. Returns the rate; below 0, a first guess that is much too low.
        """
        at_once, pace = self.at_once or 1.0, self.bounds.burst_pace_per_s
        drain = min(size, ceil(at_once * DRAIN) + 2)
        width_s = width_of(drain, pace)
        wait_s = max(0.25, 1.2 * self.asker.service_at(0.95) - width_s)
        for _ in range(5):
            outcome = yield from self.asker.ask(
                drained(drain, pace, wait_s, burst(drain, pace)), f"how much comes back in {wait_s:.2g} s"
            )
            back, between_s = outcome.part().accepted, wait_s + width_s
            if self._is_cap(outcome, back, wait_s, width_s):
                self.is_cap = True
                return at_once / float(self.asker.services_s.mean())
            if back < 0.9 * at_once and back >= min(20, 0.2 * at_once):
                self.refill_per_s = back / between_s
                return self.refill_per_s
            if back >= 0.9 * at_once and wait_s <= 0.02:
                return -at_once
            # too much came back to tell, or too little
            wait_s = (
                wait_s / 5 if back >= 0.9 * at_once else min(20.0, wait_s * max(2.0, 0.5 * at_once / max(back, 0.5)))
            )
        return -at_once

    def _is_cap(self, outcome: ProbeOutcome, back: int, wait_s: float, width_s: float) -> bool:
        """Whether calls in flight explain it: all of a burst was in flight at once, and what came back had ended."""
        if not len(self.asker.services_s) or not outcome.can_be_cap or self.asker.services_s.mean() < width_s:
            return False
        return back >= 0.85 * (self.at_once or 1.0) * float(np.mean(self.asker.services_s <= wait_s))

    def _overload(self, expected: float) -> Generator[Probe, ProbeOutcome, tuple[ProbeOutcome | None, float]]:
        """Send somewhat more than comes back, with the bucket empty, and count what is let in.

        In two halves: when less is let in in the second one, something was not empty yet, and the next try is longer.
        """
        rate, longer = expected, 1.0
        for _ in range(10):
            over = OVER * rate
            half_s = longer * max(LEAST_S, min(LONGEST_S, ENOUGH / over), 3 * self.asker.mean_s) / 2
            if over > self.bounds.rate_per_s:
                return None, self.bounds.rate_per_s
            load = self._emptied((*steady(over, half_s, FIRST), *steady(over, half_s)))
            outcome = yield from self.asker.ask(load, f"an overload of {over:,.0f}/s for {2 * half_s:.1f} s")
            first, part = outcome.part(FIRST), outcome.part()
            self.is_cap = self.is_cap and outcome.family not in (Family.BUCKET, Family.INVOCATION_RATE)
            if part.throttled < max(3, 0.02 * part.sent):
                rate = max(over, rate * 1.5)
                longer = min(longer * 1.5, MOST_LONGER) if part.throttled else longer
            elif self.is_cap or first.accepted - part.accepted <= max(3.0, 0.02 * part.accepted):
                return outcome, (part.accepted + first.accepted) / (2 * half_s)
            else:
                # it only began to bind: what was let in at the end is nearer, and so much empties it the next time
                lasts_s = min(1.0, 3 * first.accepted / first.sent) if first.throttled >= 3 else 2.0
                self.emptying = steady(over, lasts_s * half_s, EMPTYING)
                rate = part.accepted / half_s
        raise Unanswerable("what is let in grows with what is sent: no rate can be told")

    def _emptied(self, then: tuple[Phase, ...]) -> tuple[Phase, ...]:
        """A load after a burst that empties what is let in at once; calls in flight need no emptying."""
        if self.is_cap or self.at_once is None:
            return (*self.emptying, *then)
        full = (*self.emptying, *then)
        return drained(ceil(self.at_once * DRAIN) + 2, self.bounds.burst_pace_per_s, 0.0, full)

    def _burst_again(self, rate: float) -> Generator[Probe, ProbeOutcome, None]:
        """The bursts came before the bucket was full again: once more, after the rest that it is now known to need."""
        size = self.burst_size
        for _ in range(3):
            rest_s = min(LONGEST_REST_S, 1.2 * size / rate)
            outcome = yield from self.asker.ask(
                burst(size, self.bounds.burst_pace_per_s), f"a burst of {size:,} after {rest_s:.0f} s of rest", rest_s
            )
            self.at_once, self.burst_size = float(outcome.part().accepted), size
            if outcome.part().throttled or 2 * size > min(self.bounds.rate_per_s, self.bounds.in_flight):
                return
            size *= 2

    def _ladder(self, rate: float) -> Generator[Probe, ProbeOutcome, tuple[float, bool]]:
        """Double a steady rate until it is throttled; return what was let in then, and whether it was."""
        best = 0.0
        while rate <= self.bounds.rate_per_s:
            lasts_s = max(LEAST_S, ENOUGH / rate)
            outcome = yield from self.asker.ask(steady(rate, lasts_s), f"{rate:,.0f}/s for {lasts_s:.1f} s")
            part = outcome.part()
            if part.throttled >= 3:
                return part.accepted / lasts_s, True
            best, rate = rate, rate * 2
        return best, False

    def _rate_of(self, outcome: ProbeOutcome, family: Family | None, rate: float) -> tuple[float, float | None]:
        """The highest rate of the law that bound: from the fit where it is sure, else from what was counted."""
        for parameter, law in (("rate", Family.BUCKET), ("rate_limit", Family.INVOCATION_RATE)):
            found = outcome.fits.get((law, parameter))
            if family is law and found is not None and found[2] - found[1] <= 0.04 * found[0]:
                return (found[0] if abs(found[0] / rate - 1) < 0.25 else rate), None
        if family is not Family.CONCURRENCY or not len(self.asker.services_s):
            return rate, None
        fitted = outcome.fits.get((Family.CONCURRENCY, "concurrency"))
        cap = fitted[0] if fitted is not None else rate * float(self.asker.services_s.mean())
        if self.at_once is not None and abs(cap - self.at_once) <= 0.1 * cap + 2 and self._counts_exactly():
            cap = self.at_once
        return highest_rate_under(round(cap), self.asker.services_s), float(round(cap))

    def _counts_exactly(self) -> bool:
        """Whether a burst from idle counted a cap: hardly any call ended before the burst did."""
        width_s = width_of(self.burst_size, self.bounds.burst_pace_per_s)
        ended = float((self.asker.services_s < width_s).mean())
        return ended * (self.at_once or 0.0) < 0.5

    def _law(self, outcome: ProbeOutcome, rate: float) -> Family | None:
        """The law that bound; where the answers leave it open, a refill that grows with the wait is a bucket's."""
        family, at_once = outcome.family, self.at_once or 0.0
        if family is None and self.is_cap:
            return Family.CONCURRENCY
        if family is Family.UNKNOWN and self.is_cap and abs(rate * self.asker.mean_s - at_once) <= UNSURE * at_once:
            return Family.CONCURRENCY  # Little's law holds at what was let in at once
        if family is Family.UNKNOWN and not self.is_cap and abs(self.refill_per_s - rate) <= UNSURE * rate:
            return Family.BUCKET  # what came back in a wait is what is let in for good
        if family in (None, Family.CONCURRENCY) and at_once and not self.is_cap:
            return Family.INVOCATION_RATE if outcome.can_be_ten_times else Family.BUCKET
        return family

    def _learn(self, cap: float, rate: float) -> Generator[Probe, ProbeOutcome, float]:
        """Send just below the answer until the mean of service times is known well, or as much is sent as is worth it.

        What the last stretch will teach is left to it.
        """
        for _ in range(LEARNINGS):
            last = ceil(HOLD_S * rate)
            wanted = wanted_count(self.asker.services_s) - last
            allowed = min(allowed_count(rate) - self.asker.sent, self.asker.left) - last
            if min(wanted, allowed) < LEAST_S * LEARNING * rate:
                break
            lasts_s = min(wanted, allowed) / (LEARNING * rate)
            about = f"how long calls take, at {LEARNING * rate:,.1f}/s for {lasts_s:.0f} s"
            yield from self.asker.ask(steady(LEARNING * rate, lasts_s), about)
            rate = highest_rate_under(round(cap), self.asker.services_s)
        return rate

    def _hold(self, rate: float) -> Generator[Probe, ProbeOutcome, tuple[float | None, float]]:
        """Show that it holds: just below it, with the bucket empty; else go down by what was refused."""
        for _ in range(4):
            tried = HELD * rate
            load = steady(tried, HOLD_S)
            if not self.is_cap:
                pause = Phase("settle", 2 / tried, Pause())
                load = self._emptied((pause, *load))
            outcome = yield from self.asker.ask(load, f"does {tried:,.1f}/s hold for {HOLD_S:.0f} s")
            part = outcome.part()
            if part.throttled <= max(0, round(0.001 * part.sent)):
                return tried, rate
            rate *= 1 - min(0.3, max(0.01, 1.2 * part.throttled / part.sent))
        return None, rate

    def _found(
        self, outcome: ProbeOutcome, law: Family | None, rate: float, cap: float | None, held: float | None
    ) -> Found:
        burst_size = self.at_once
        if burst_size is not None and cap is None:
            # what came back while the burst was being sent is not part of it
            burst_size = max(1.0, burst_size - rate * width_of(self.burst_size, self.bounds.burst_pace_per_s))
        return Found(
            rate,
            burst_size,
            law,
            outcome.layer,
            cap,
            held,
            self.asker.sent,
            self.asker.probes,
            outcome.text or _words(law),
        )

    def _nothing(self, rate: float) -> Found:
        text = f"nothing throttled up to {rate:,.0f} requests/s, the highest rate that the ceilings allow"
        return Found(rate, self.at_once, None, None, None, rate, self.asker.sent, self.asker.probes, text)


def _words(law: Family | None) -> str:
    return f"a limit of the kind {(law or Family.UNKNOWN).value.replace('_', ' ')}, by what was let in"
