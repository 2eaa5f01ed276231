"""Token buckets under fluctuating arrivals: sampled paths of the tokens, and what the empty bucket refuses.

The tokens are a Brownian path with drift `rate - arrivals` and the arrivals' variance, held between 0 and the burst.
Within a step the lowest point of the path is drawn from the law of the Brownian bridge between its ends, so a path that
dips below 0 inside a step is not missed. Without variance this is the plain fluid, exact for evenly spaced arrivals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstline.core.quota.forecast.records import NEVER

Floats = NDArray[np.float64]

_SURE = 8.0
"""Standard deviations that a bucket stays away from empty to be left alone."""

_MOST_SUBSTEPS = 8


@dataclass(frozen=True, slots=True)
class Refused:
    """What buckets refuse.

    Attributes:
        ratio: mean share refused, per step (rows) and bucket.
        totals: requests refused, per path (rows) and bucket.
        first_s: when each first refused, per path (rows) and bucket; `NEVER` where it did not.
    """

    ratio: Floats
    totals: Floats
    first_s: Floats


def through_buckets(
    edges_s: Floats,
    arriving: Floats,
    variance: Floats,
    rates_per_s: Floats,
    bursts: Floats,
    random: np.random.Generator,
    paths: int,
    jitter_s: float = 0.0,
) -> Refused:
    """Return what buckets that start full refuse.

    Args:
        edges_s: step edges, ascending.
        arriving: expected arrivals per step (rows) and bucket (columns).
        variance: of them, same shape.
        rates_per_s: refill of each bucket.
        bursts: size of each bucket.
        random: where fluctuations come from.
        paths: how many are sampled, >= 1.
        jitter_s: mean delay of arrivals, seconds. What is displaced by it makes a bucket run dry a little early: by
            about `sqrt(rate jitter + 1/4)` requests, times 1.4 with a deviation of 0.8 (from replays).
    """
    result = Refused(
        np.zeros(arriving.shape), np.zeros((paths, arriving.shape[1])), np.full((paths, arriving.shape[1]), NEVER)
    )
    binding = np.flatnonzero(_may_bind(edges_s, arriving, variance, rates_per_s, bursts) & (bursts >= 1.0))
    for shut in np.flatnonzero(bursts < 1.0).tolist():
        _refuse_all(result, shut, edges_s, arriving[:, shut], float(variance[:, shut].sum()), random)
    for fluctuates in (False, True):
        chosen = binding[variance[:, binding].any(axis=0) == fluctuates]
        if len(chosen):
            fastest = (arriving[:, chosen] / np.diff(edges_s)[:, None]).max(axis=0)
            early = np.sqrt(
                np.minimum(fastest, rates_per_s[chosen] + bursts[chosen] / max(jitter_s, 1e-9)) * jitter_s + 0.25
            )
            early = early * np.maximum(1.4 + 0.8 * random.standard_normal((paths, len(chosen))), 0.0)
            walk = _Walk(edges_s, rates_per_s[chosen], bursts[chosen], early if jitter_s > 0 else early * 0.0, random)
            lost = walk.through(arriving[:, chosen], variance[:, chosen])
            result.ratio[:, chosen] = lost / np.maximum(arriving[:, chosen], 1e-12)
            result.totals[:, chosen] = walk.totals
            result.first_s[:, chosen] = walk.first_s + random.exponential(jitter_s, walk.first_s.shape)
    np.clip(result.ratio, 0.0, 1.0, out=result.ratio)
    return result


def _refuse_all(
    result: Refused, bucket: int, edges_s: Floats, arriving: Floats, variance: float, random: np.random.Generator
) -> None:
    """A bucket that cannot hold one token refuses everything."""
    if arriving.any():
        paths = len(result.totals)
        result.ratio[:, bucket] = 1.0
        drawn = arriving.sum() + np.sqrt(variance) * random.standard_normal(paths)
        result.totals[:, bucket] = np.maximum(drawn, 0.0)
        result.first_s[:, bucket] = edges_s[int(np.argmax(arriving > 0))]


def _may_bind(
    edges_s: Floats, arriving: Floats, variance: Floats, rates_per_s: Floats, bursts: Floats
) -> NDArray[np.bool_]:
    """Whether a bucket may come near empty: a plain fluid, with the variance gathered since it was last full."""
    widths = np.diff(edges_s)
    drifts = widths[:, None] * rates_per_s - arriving
    calm = (drifts >= 0).all(axis=0) & (2.0 * drifts * bursts >= 32.0 * variance).all(axis=0) & (bursts >= 1.0)
    near = bursts < 1.0
    open_ = np.flatnonzero(~calm)
    if len(open_):
        near[open_] |= _comes_near(widths, arriving[:, open_], variance[:, open_], rates_per_s[open_], bursts[open_])
    return near


def _comes_near(
    widths: Floats, arriving: Floats, variance: Floats, rates_per_s: Floats, bursts: Floats
) -> NDArray[np.bool_]:
    tokens, gathered = bursts.copy(), np.zeros(len(bursts))
    near = np.zeros(len(bursts), np.bool_)
    for width, came, var in zip(widths, arriving, variance, strict=True):
        tokens = tokens + width * rates_per_s - came
        gathered = gathered + var
        near |= tokens < _SURE * np.sqrt(gathered) + 1.0
        full = tokens >= bursts
        tokens = np.where(full, bursts, np.maximum(tokens, 0.0))
        # full on average, yet a small bucket can run dry: the chance of it goes as exp(-2 drift burst / variance)
        drift = width * rates_per_s - came
        near |= full & (2.0 * drift * bursts < 32.0 * var)
        gathered = np.where(full, 0.0, gathered)
    return near


class _Walk:
    """Sampled paths of the tokens of several buckets: arrays of paths (rows) and buckets."""

    def __init__(
        self, edges_s: Floats, rates_per_s: Floats, bursts: Floats, early: Floats, random: np.random.Generator
    ) -> None:
        self._edges_s, self._rates, self._random = edges_s, rates_per_s, random
        self._bursts = np.maximum(bursts - early, 0.5 * bursts)
        self._tokens = self._bursts.copy()
        self.totals = np.zeros(early.shape)
        self.first_s = np.full(early.shape, NEVER)

    def through(self, arriving: Floats, variance: Floats) -> Floats:
        """Go through all steps; return mean losses per step and bucket."""
        lost = np.zeros(arriving.shape)
        widths = np.diff(self._edges_s)
        room = (self._bursts.max(axis=0) / 4.0) ** 2 + 1e-12
        for k, width in enumerate(widths.tolist()):
            drift = width * self._rates - arriving[k]
            if not variance[k].any():
                lost[k] = self._smooth(drift, self._edges_s[k], width)
                continue
            fast = variance[k] > room * _MOST_SUBSTEPS
            count = int(min(_MOST_SUBSTEPS, max(1.0, np.ceil(np.max(np.where(fast, 0.0, variance[k]) / room)))))
            for part in range(count):
                start_s = self._edges_s[k] + part * width / count
                lost[k] += self._step(drift / count, variance[k] / count, fast, start_s, width / count)
        return lost

    def _smooth(self, drift: Floats, start_s: float, width_s: float) -> Floats:
        after = self._tokens + drift
        loss = np.maximum(-after, 0.0)
        self._note(loss, self._tokens, start_s, width_s)
        self._tokens = np.minimum(np.maximum(after, 0.0), self._bursts)
        mean: Floats = loss.mean(axis=0)
        return mean

    def _step(self, drift: Floats, variance: Floats, fast: NDArray[np.bool_], start_s: float, width_s: float) -> Floats:
        shape = self._tokens.shape
        change = drift + np.sqrt(variance) * self._random.standard_normal(shape)
        reach = np.sqrt(change * change + 2.0 * variance * self._random.standard_exponential(shape))
        loss = np.maximum(-(self._tokens + (change - reach) / 2.0), 0.0)
        over = np.maximum(self._tokens + (change + reach) / 2.0 - self._bursts, 0.0)
        over = np.where(loss > 0, 0.0, over)
        after = np.clip(self._tokens + change + loss - over, 0.0, self._bursts)
        if fast.any():
            came = width_s * self._rates - drift
            settled = _settled_loss(drift, variance, self._bursts, came, self._random)
            loss = np.where(fast, settled, loss)
            after = np.where(fast, np.where(drift < 0, 0.0, self._bursts), after)
        self._note(loss, self._tokens, start_s, width_s)
        self._tokens = after
        mean: Floats = loss.mean(axis=0)
        return mean

    def _note(self, loss: Floats, before: Floats, start_s: float, width_s: float) -> None:
        self.totals += loss
        new = (loss > 1e-9) & (self.first_s == NEVER)
        if new.any():
            at_s = start_s + width_s * np.minimum(before / np.maximum(before + loss, 1e-12), 1.0)
            self.first_s = np.where(new, at_s, self.first_s)


def _settled_loss(drift: Floats, variance: Floats, bursts: Floats, came: Floats, random: np.random.Generator) -> Floats:
    """Losses in a step far longer than a small bucket's memory: `m / (exp(2 m B / v) - 1)`, drift m, variance v.

    They come in clusters of about `v / (2 |m|)`, at most B; on average no more than what came.
    """
    steep = np.clip(2.0 * drift * bursts / np.maximum(variance, 1e-12), -500.0, 500.0)
    flat = np.abs(steep) < 1e-6
    falling = drift / np.where(flat, 1.0, np.expm1(np.where(flat, 1.0, steep)))
    mean = np.minimum(np.where(flat, variance / (2.0 * np.maximum(bursts, 1e-9)), falling), came)
    size = np.minimum(variance / np.maximum(2.0 * np.abs(drift), 1e-12), np.maximum(bursts, 1.0))
    size = np.maximum(size, 1.0)
    clusters = random.poisson(np.maximum(mean, 0.0) / size).astype(np.float64)
    losses: Floats = clusters * size
    return losses
