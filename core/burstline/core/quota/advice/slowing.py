"""A plan made gentler, where no quota can be raised: wider bursts, longer ramps, ramps where there were jumps.

One number says how much gentler: a slowness of 1 leaves the plan alone; at x, bursts are x times as wide (and as far
apart as that needs), ramps x times as long, and a jump upwards becomes a ramp of x - 1 seconds. What is served stays:
as many bursts of the same size, the same rates.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from burstline.core.load.plan import Bursts, Constant, Pause, Phase, Ramp, Shape, Sine, Step, Users

NARROWEST_S = 0.01
"""A burst of no width is taken to be this wide before it is widened, seconds."""

MOST = 2000.0
"""Beyond this slowness it is another plan."""

PRECISION = 0.01
"""Of the smallest slowness, relative to what it adds."""


FINEST = 1e-4
"""Below this difference slownesses are one: what holds however little is changed needs (nearly) no change."""


@dataclass(frozen=True, slots=True)
class Slowed:
    """A gentler plan.

    Attributes:
        slowness: see the module; >= 1.
        load: its phases.
    """

    slowness: float
    load: tuple[Phase, ...]


def slowed(load: tuple[Phase, ...], slowness: float, rate_per_s: float = float("inf")) -> tuple[Phase, ...]:
    """Return a gentler load.

    Args:
        slowness: >= 1.
        rate_per_s: bursts are so far apart that they and their base together do not exceed it in the long run.
    """
    if slowness <= 1:
        return load
    found: list[Phase] = []
    before = 0.0
    names = {phase.name for phase in load}
    for phase in load:
        start, end = _edges(phase.shape)
        lead_s = slowness - 1
        if start > before + 1e-9 and not isinstance(phase.shape, Ramp):
            found.append(replace(phase, name=_name(f"{phase.name} ramp", names), duration_s=lead_s,
                                 shape=Ramp(before, start)))  # fmt: skip
        found.append(_slower(phase, slowness, rate_per_s))
        before = end
    return tuple(found)


def least_slowness(holds: Callable[[float], bool]) -> float | None:
    """Return the smallest slowness, to 1 % of what it adds, at which `holds`; None if even the most does not."""
    low, high = 1.0, 1.02
    while not holds(high):
        low, high = high, 1 + (high - 1) * 2
        if high > MOST:
            return None
    while high - low > max(FINEST, PRECISION * (high - 1)):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def changes_text(old: tuple[Phase, ...], new: tuple[Phase, ...]) -> tuple[str, ...]:
    """Return what changed, phase by phase, as sentences."""
    by_name = {phase.name: phase for phase in old}
    found = []
    for phase in new:
        before = by_name.get(phase.name)
        if before is None and isinstance(phase.shape, Ramp):
            shape = phase.shape
            found.append(
                f"Change the plan: before the next phase, ramp from {shape.from_per_s:,.0f} to {shape.to_per_s:,.0f} "
                f"requests/s over {phase.duration_s:.3g} s ({phase.name})."
            )
        elif before is not None and phase != before:
            found.append(_text(before, phase))
    return tuple(found)


def _text(before: Phase, after: Phase) -> str:
    if isinstance(before.shape, Bursts) and isinstance(after.shape, Bursts):
        return (
            f"Change the plan: spread bursts of {after.shape.size:,} ({after.name}) over {after.shape.width_s:.3g} s "
            f"instead of {before.shape.width_s:.3g} s, {after.shape.every_s:.3g} s apart."
        )
    return f"Change the plan: {after.name} ramps over {after.duration_s:.3g} s instead of {before.duration_s:.3g} s."


def _slower(phase: Phase, slowness: float, rate_per_s: float) -> Phase:
    match phase.shape:
        case Bursts(size, every_s, width_s, base):
            width = max(width_s, NARROWEST_S) * slowness
            lasting = size / (rate_per_s - base) if rate_per_s > base else every_s
            every = max(every_s, width, lasting)
            return replace(phase, duration_s=phase.duration_s * every / every_s, shape=Bursts(size, every, width, base))
        case Ramp():
            return replace(phase, duration_s=phase.duration_s * slowness)
        case Step(start, end, steps):
            more = max(steps, round(steps * slowness))
            return replace(phase, duration_s=phase.duration_s * more / steps, shape=Step(start, end, more))
        case Sine(mean, amplitude, period_s):
            return replace(
                phase, duration_s=phase.duration_s * slowness, shape=Sine(mean, amplitude, period_s * slowness)
            )
        case Constant() | Pause() | Users():
            return phase


def _edges(shape: Shape) -> tuple[float, float]:
    """The steady rate that a phase starts and ends with."""
    match shape:
        case Constant(rate):
            return rate, rate
        case Ramp(start, end) | Step(start, end, _):
            return start, end
        case Bursts(_, _, _, base):
            return base, base
        case Sine(mean, _, _):
            return mean, mean
        case Pause() | Users():
            return 0.0, 0.0


def _name(wanted: str, names: set[str]) -> str:
    name = wanted
    while name in names:
        name += "+"
    names.add(name)
    return name
