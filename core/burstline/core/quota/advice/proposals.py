"""One advice, and the policy by which a recommended number is made from a required one."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log10

from burstline.core.load.plan import Phase
from burstline.core.quota.quotas import Account, Layer

HEADROOM = 1.2
"""Recommended over required: our policy, as AWS support asks for some room above the usual peak, too."""


@dataclass(frozen=True, slots=True)
class BurstAdvice:
    """The burst of a bucket whose rate is advised on; requests. None is unknown."""

    current: float
    required: float | None
    recommended: float | None
    adjustable: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one limit.

    Attributes:
        quota: `SERVICE:CODE` of Service Quotas, or `SERVICE:setting:NAME`.
        adjustable: whether it can be changed at all.
        unit: of the numbers.
        current: the limit now; None if unknown.
        required: smallest value that throttles nobody; None if no value does, or none can be told.
        recommended: `required` with headroom; None where an increase will not help.
        burst: for a bucket, whose other numbers are rates.
        derivation: where the numbers come from, for a reader.
        command: the `aws` command; "" if there is none.
        alternatives: what else would do; sentences.
        verified: replaying the demand with the recommendation throttled nothing here.
        load: where the plan has to change, its changed phases, at the demand's scale; None where it stays.
        slowness: how much gentler those are (see `slowing`), without and with headroom; None likewise.
    """

    quota: str
    adjustable: bool
    unit: str
    current: float | None
    required: float | None
    recommended: float | None
    derivation: str
    burst: BurstAdvice | None = None
    command: str = ""
    alternatives: tuple[str, ...] = ()
    verified: bool = False
    load: tuple[Phase, ...] | None = None
    slowness: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An advice about one limit.

    Attributes:
        layer: whose limit.
        apply: the change it makes.
        needed: the demand needs it.
        unsolved: even so the demand does not pass: the plan has to change.
        served: about which share of the demand passes as it is, above 0, at most 1.
        concurrency: calls in flight that the limit allows as it is; None where it is not about work.
    """

    advice: Advice
    layer: Layer
    apply: Callable[[Account], Account]
    needed: bool
    unsolved: bool = False
    served: float = 1.0
    concurrency: float | None = None


def with_headroom(required: float) -> float:
    """Return `required` times `HEADROOM`, rounded up to two figures (three from 1,000 on)."""
    value = required * HEADROOM
    if value <= 10:
        return float(ceil(value))
    step = 10.0 ** (int(log10(value)) - (2 if value >= 1000 else 1))
    # without the small number, 1.2 x 100 would become 130
    return ceil(value / step - 1e-9) * step
