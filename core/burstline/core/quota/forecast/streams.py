"""Arrivals as the fluid solver sees them: expected requests per step, and how much they fluctuate."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstline.core.load.plan import Arrivals, Pause, Phase, Users
from burstline.core.load.schedule import Schedule
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.forecast.loads import ForecastInput, mean_service_s, others, totals_at
from burstline.core.quota.quotas import Account, Function

Floats = NDArray[np.float64]


class Streams:
    """Expected arrivals per step (rows).

    A load of evenly spaced arrivals does not fluctuate as a whole; the share p of it that a call gets, picked by a
    hash, varies by `p (1 - p)` per arrival. Poisson arrivals vary by their number.

    Attributes:
        edges_s: step edges.
        calls: ours, then others' (past the gateway).
        ours_count: how many of `calls` are ours.
        functions: what the calls invoke, each once.
        function_of: index into `functions`, per call.
        even: evenly spaced arrivals per step and load.
        loose: Poisson (and users') arrivals per step and load; others' traffic has a load each, at the end.
        load_of: load of each call.
        share: of the load's arrivals, per call.
    """

    def __init__(self, asked: ForecastInput, account: Account, edges_s: Floats, round_trip_s: float) -> None:
        self.edges_s = edges_s
        others_traffic = others(account)
        self.calls = asked.calls + tuple(Call(f.name, gateway=False) for f in others_traffic)
        self.ours_count = len(asked.calls)
        names = tuple(dict.fromkeys(call.function for call in self.calls))
        self.functions = tuple(account.functions.get(name, Function(name)) for name in names)
        place = {name: index for index, name in enumerate(names)}
        self.function_of = np.array([place[call.function] for call in self.calls], np.int64)
        even, loose, load_of, share = [], [], [], []
        for index, load in enumerate(asked.loads):
            of_kind = [_only(load.phases, kind) for kind in (Arrivals.EVEN, Arrivals.POISSON)]
            even.append(np.diff(totals_at(of_kind[0], edges_s)))
            waits_s = round_trip_s + mean_service_s(load, account) if _has_users(load.phases) else 1.0
            loose.append(np.diff(totals_at(of_kind[1], edges_s) + _users_totals(load.phases, edges_s, waits_s)))
            load_of += [index] * len(load.calls)
            share += load.shares.tolist()
        for index, function in enumerate(others_traffic):
            even.append(np.zeros(len(edges_s) - 1))
            loose.append(np.diff(edges_s) * function.other_rate_per_s)
            load_of.append(len(asked.loads) + index)
            share.append(1.0)
        self.even = np.array(even).T
        self.loose = np.array(loose).T
        self.load_of, self.share = np.array(load_of, np.int64), np.array(share)

    def per_call(self) -> Floats:
        """Return expected arrivals per step (rows) and call."""
        arrivals: Floats = (self.even + self.loose)[:, self.load_of] * self.share
        return arrivals

    def variance(self, members: NDArray[np.bool_]) -> Floats:
        """Return the variance of the arrivals per step of the calls in `members` (a mask) together."""
        shares = np.bincount(self.load_of[members], weights=self.share[members], minlength=self.even.shape[1])
        used = np.flatnonzero(shares)
        shares = np.minimum(shares[used], 1.0)
        variance: Floats = self.even[:, used] @ (shares * (1.0 - shares)) + self.loose[:, used] @ shares
        return variance


def planned_counts(asked: ForecastInput, random: np.random.Generator, streams: Streams, runs: int) -> Floats:
    """Return our requests of each run: the schedule's own count where it is fixed, else drawn; users' estimated."""
    own = len(asked.loads)
    if not asked.fixed:
        expected, loose = streams.even[:, :own].sum(), streams.loose[:, :own].sum()
        drawn: Floats = np.rint(expected) + random.poisson(loose, runs)
        return drawn
    if any(_has_users(load.phases) for load in asked.loads):
        return np.full(runs, np.rint((streams.even[:, :own] + streams.loose[:, :own]).sum()))
    return np.full(runs, float(sum(Schedule(load.phases, load.seed).count for load in asked.loads)))


def _only(phases: Sequence[Phase], kind: Arrivals) -> tuple[Phase, ...]:
    return tuple(phase if phase.arrivals is kind else replace(phase, shape=Pause()) for phase in phases)


def _has_users(phases: Sequence[Phase]) -> bool:
    return any(isinstance(phase.shape, Users) for phase in phases)


def _users_totals(phases: Sequence[Phase], times_s: Floats, waits_s: float) -> Floats:
    """Requests that users send before each time, if each cycle takes `waits_s` and its think time."""
    totals, start = np.zeros(len(times_s)), 0.0
    for phase in phases:
        if isinstance(phase.shape, Users):
            cycle_s = waits_s + phase.shape.think_s
            totals += phase.shape.users / cycle_s * np.clip(times_s - start, 0.0, phase.duration_s)
        start += phase.duration_s
    return totals
