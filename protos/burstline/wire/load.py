"""Phases: `v1.Phase` <-> `core.load.plan.Phase`."""

from collections.abc import Iterable, Sequence

from burstline.core.load import plan as core
from burstline.v1 import resources_pb2 as v1
from burstline.wire.checks import Checks

HIGHEST_RATE_PER_S = 1e7
LONGEST_S = 7 * 86400.0
_ARRIVALS = {
    v1.Phase.ARRIVALS_UNSPECIFIED: core.Arrivals.EVEN,
    v1.Phase.EVEN: core.Arrivals.EVEN,
    v1.Phase.POISSON: core.Arrivals.POISSON,
}


def phases_from_proto(messages: Sequence[v1.Phase], checks: Checks) -> tuple[core.Phase, ...]:
    """Return a plan's phases; what is wrong goes into `checks`."""
    checks.require(len(messages) > 0, "load", "it is missing: a plan needs at least one phase")
    phases: list[core.Phase] = []
    seen: dict[str, int] = {}
    for i, message in enumerate(messages):
        name = message.name or f"phase {i + 1}"
        if name in seen:
            checks.refuse(f"load[{i}].name", f"{name!r} is the name of load[{seen[name]}] already")
        seen.setdefault(name, i)
        duration_s = checks.seconds(f"load[{i}].duration", message.duration, low=0, high=LONGEST_S, above_low=True)
        shape = _shape(message, f"load[{i}]", checks)
        if shape is not None:
            phases.append(core.Phase(name, duration_s, shape, _ARRIVALS.get(message.arrivals, core.Arrivals.EVEN)))
    return tuple(phases)


def phases_to_proto(phases: Iterable[core.Phase]) -> list[v1.Phase]:
    """Return phases as messages; `phases_from_proto` gives them back."""
    return [_message(phase) for phase in phases]


def _message(phase: core.Phase) -> v1.Phase:
    poisson = phase.arrivals is core.Arrivals.POISSON
    message = v1.Phase(name=phase.name, arrivals=v1.Phase.POISSON if poisson else v1.Phase.EVEN)
    message.duration.FromNanoseconds(round(phase.duration_s * 1e9))
    match phase.shape:
        case core.Constant(rate):
            message.constant.request_count_per_second = rate
        case core.Ramp(start, end):
            message.ramp.from_request_count_per_second, message.ramp.to_request_count_per_second = start, end
        case core.Step(start, end, steps):
            message.step.from_request_count_per_second, message.step.to_request_count_per_second = start, end
            message.step.step_count = steps
        case core.Pause():
            message.pause.SetInParent()
        case core.Bursts(size, every_s, width_s, base):
            message.bursts.size_count, message.bursts.base_request_count_per_second = size, base
            message.bursts.every_duration.FromNanoseconds(round(every_s * 1e9))
            message.bursts.width_duration.FromNanoseconds(round(width_s * 1e9))
        case core.Sine(mean, amplitude, period_s):
            message.sine.mean_request_count_per_second = mean
            message.sine.amplitude_request_count_per_second = amplitude
            message.sine.period_duration.FromNanoseconds(round(period_s * 1e9))
        case core.Users(users, think_s):
            message.users.user_count = users
            message.users.think_duration.FromNanoseconds(round(think_s * 1e9))
    return message


def _shape(message: v1.Phase, field: str, checks: Checks) -> core.Shape | None:
    match message.WhichOneof("shape"):
        case "constant":
            return core.Constant(_rate(message.constant, "request_count_per_second", f"{field}.constant", checks, True))
        case "ramp":
            return core.Ramp(*_ends(message.ramp, f"{field}.ramp", checks))
        case "step":
            ends = _ends(message.step, f"{field}.step", checks)
            steps = checks.number(f"{field}.step.step_count", message.step.step_count, low=2, high=10_000)
            return core.Step(*ends, int(steps))
        case "pause":
            return core.Pause()
        case "bursts":
            return _bursts(message.bursts, f"{field}.bursts", checks)
        case "sine":
            return _sine(message.sine, f"{field}.sine", checks)
        case "users":
            users = checks.number(f"{field}.users.user_count", message.users.user_count, low=1, high=100_000)
            think = checks.seconds(f"{field}.users.think_duration", message.users.think_duration, low=0, high=3600)
            return core.Users(int(users), think)
        case _:
            checks.refuse(field, "it has no shape: give a rate, bursts, a sine, users or a pause")
            return None


def _rate(
    message: v1.Phase.Constant | v1.Phase.Ramp | v1.Phase.Step | v1.Phase.Bursts | v1.Phase.Sine,
    name: str,
    field: str,
    checks: Checks,
    above_zero: bool,
) -> float:
    value: float = getattr(message, name)
    return checks.number(
        f"{field}.{name}", value, low=0, high=HIGHEST_RATE_PER_S, above_low=above_zero, unit="requests/s"
    )


def _ends(message: v1.Phase.Ramp | v1.Phase.Step, field: str, checks: Checks) -> tuple[float, float]:
    start = _rate(message, "from_request_count_per_second", field, checks, False)
    end = _rate(message, "to_request_count_per_second", field, checks, False)
    checks.require(start > 0 or end > 0, field, "it starts and ends at 0 requests/s: use a pause")
    return start, end


def _bursts(message: v1.Phase.Bursts, field: str, checks: Checks) -> core.Bursts:
    size = checks.number(f"{field}.size_count", message.size_count, low=1, high=1e7, unit="requests")
    every = checks.seconds(f"{field}.every_duration", message.every_duration, low=0, high=LONGEST_S, above_low=True)
    width = checks.seconds(f"{field}.width_duration", message.width_duration, low=0, high=LONGEST_S)
    checks.require(
        width <= every, f"{field}.width_duration", f"{width:g} s is longer than the {every:g} s from burst to burst"
    )
    base = _rate(message, "base_request_count_per_second", field, checks, False)
    return core.Bursts(int(size), every, width, base)


def _sine(message: v1.Phase.Sine, field: str, checks: Checks) -> core.Sine:
    mean = _rate(message, "mean_request_count_per_second", field, checks, True)
    amplitude = _rate(message, "amplitude_request_count_per_second", field, checks, False)
    checks.require(
        amplitude <= mean,
        f"{field}.amplitude_request_count_per_second",
        f"{amplitude:g} is over the mean of {mean:g}: the rate would fall below zero",
    )
    period = checks.seconds(f"{field}.period_duration", message.period_duration, low=0, high=LONGEST_S, above_low=True)
    return core.Sine(mean, amplitude, period)
