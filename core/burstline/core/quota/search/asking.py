"""Asking by probes: within the ceilings, again where the generator was the limit, and what their latencies teach."""

from collections.abc import Generator

import numpy as np

from burstline.core.load.plan import Phase
from burstline.core.quota.answers.series import Floats
from burstline.core.quota.search.answer import Bounds, Unanswerable
from burstline.core.quota.search.probing import Probe, ProbeOutcome

TRIES = 4
"""How often a probe is tried that the generator could not send as asked."""

Asking = Generator[Probe, ProbeOutcome, ProbeOutcome]


class Asker:
    """Proposes probes and keeps what all of them together have shown.

    Attributes:
        sent: requests of all probes so far.
        probes: how many.
        services_s: service times seen, ascending, equally likely, seconds, > 0.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.sent = 0
        self.probes = 0
        self.services_s: Floats = np.empty(0)
        self._bounds = bounds
        self._latencies_s: Floats = np.empty(0)
        self._floor_s = 0.0
        self._rest_s = 0.0

    def ask(self, load: tuple[Phase, ...], about: str, rest_s: float | None = None) -> Asking:
        """Propose a probe until its outcome says something, and return that.

        Args:
            rest_s: before it, seconds; None is the bounds' (and nothing before the first one).

        Raises:
            Unanswerable: it would pass the ceiling of requests, or could not be sent as asked time and again.
        """
        said = ""
        for _ in range(TRIES):
            probe = Probe(load, self._rest_s if rest_s is None else rest_s, about)
            if self.sent + probe.request_count > self._bounds.request_count:
                raise Unanswerable(f"the ceiling of {self._bounds.request_count:,} requests is too low for this search")
            outcome = yield probe
            self.sent += probe.request_count
            self.probes += 1
            self._rest_s = self._bounds.rest_s
            if not outcome.limited:
                self._learn_times(outcome)
                return outcome
            said = outcome.text
        raise Unanswerable(f"this generator was the limit, not a quota: {said}")

    @property
    def left(self) -> int:
        """Requests that the ceiling still allows."""
        return self._bounds.request_count - self.sent

    @property
    def mean_s(self) -> float:
        """Mean service time, seconds; 0 if none was seen."""
        return float(self.services_s.mean()) if len(self.services_s) else 0.0

    def service_at(self, quantile: float) -> float:
        """Return a quantile of the service times, seconds; 0 if none was seen."""
        return float(np.quantile(self.services_s, quantile)) if len(self.services_s) else 0.0

    def _learn_times(self, outcome: ProbeOutcome) -> None:
        self._latencies_s = np.concatenate((self._latencies_s, outcome.latencies_s))
        if outcome.floor_s is not None:
            self._floor_s = outcome.floor_s
        self.services_s = np.sort(np.maximum(self._latencies_s - self._floor_s, 1e-4))
