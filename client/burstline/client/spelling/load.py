"""Phases: `{for: 30s, rate: 100}` and its relatives, told apart by the keys that are there."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from burstline.client.spelling.units import (
    PhaseLength,
    Rate,
    RateOverZero,
    Seconds,
    SecondsOverZero,
    Spelled,
    Text,
    choices,
    mistake,
    seconds,
    wholes,
)

TAG = "phase:"
"""What the tags of the union begin with; they turn up in error paths and are taken out there."""

SHAPES = "rate (constant), rate and to (ramp), rate, to and steps (step), pause, bursts, sine, users"
"""What a phase may hold, for messages."""

Placement = Annotated[str, choices("even", "poisson")]


class _Lasting(Spelled):
    name: Text = ""
    for_: PhaseLength = Field(alias="for")


class Constant(_Lasting):
    """A constant rate."""

    rate: RateOverZero
    arrivals: Placement = "even"


class Ramp(_Lasting):
    """A straight line from `rate` to `to`."""

    rate: Rate
    to: Rate
    arrivals: Placement = "even"

    @model_validator(mode="after")
    def _moves(self) -> "Ramp":
        if self.rate == 0 and self.to == 0:
            raise mistake("found 0 at both ends; allowed: rate or to over 0, or a pause", "to")
        return self


class Step(Ramp):
    """A staircase of `steps` treads from `rate` to `to`."""

    steps: Annotated[int, wholes("a whole number 2 to 10000", least=2, most=10_000)]


class Pause(Spelled):
    """Nothing is sent: `{pause: 10s}`."""

    name: Text = ""
    pause: PhaseLength


class Train(Spelled):
    """A burst of `size` requests over `width`, each `every`."""

    size: Annotated[int, wholes("a whole number 1 to 10000000", least=1, most=10_000_000)]
    every: SecondsOverZero
    width: Seconds

    @model_validator(mode="after")
    def _fits(self) -> "Train":
        if self.width > self.every:
            raise mistake(f"found {self.width:g}s; allowed: at most every ({self.every:g}s)", "width")
        return self


class Bursts(_Lasting):
    """Burst trains over a base rate."""

    bursts: Train
    rate: Rate = 0.0
    arrivals: Placement = "even"


class Wave(Spelled):
    """A wave around a mean."""

    mean: RateOverZero
    amplitude: Rate
    period: SecondsOverZero

    @model_validator(mode="after")
    def _stays_positive(self) -> "Wave":
        if self.amplitude > self.mean:
            raise mistake(f"found {self.amplitude:g}; allowed: 0 to the mean ({self.mean:g})", "amplitude")
        return self


class Sine(_Lasting):
    """A daily wave."""

    sine: Wave
    arrivals: Placement = "even"


class Users(_Lasting):
    """A closed model."""

    users: Annotated[int, wholes("a whole number 1 to 100000", least=1, most=100_000)]
    think: Annotated[float, seconds(most_s=3600, says="at most 1h")] = 0.0


class Shapeless(Spelled):
    """A phase that says nothing of what happens in it: always a mistake."""

    name: Text = ""
    for_: PhaseLength = Field(alias="for", default=1.0)
    arrivals: Placement = "even"

    @model_validator(mode="after")
    def _refuse(self) -> "Shapeless":
        raise mistake(f"says nothing of what is sent; allowed: for with one of {SHAPES}")


AnyPhase = Constant | Ramp | Step | Pause | Bursts | Sine | Users

PHASE_KEYS = "name for rate to steps arrivals pause bursts sine users think".split()
"""Every key that some phase may have."""


def _kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else {}
    for key in ("pause", "bursts", "sine", "users"):
        if key in keys:
            return TAG + key
    if "steps" in keys:
        return TAG + "step"
    if "to" in keys:
        return TAG + "ramp"
    return TAG + ("constant" if "rate" in keys else "none")


PhaseSpelling = Annotated[
    Annotated[Constant, Tag("phase:constant")]
    | Annotated[Ramp, Tag("phase:ramp")]
    | Annotated[Step, Tag("phase:step")]
    | Annotated[Pause, Tag("phase:pause")]
    | Annotated[Bursts, Tag("phase:bursts")]
    | Annotated[Sine, Tag("phase:sine")]
    | Annotated[Users, Tag("phase:users")]
    | Annotated[Shapeless, Tag("phase:none")],
    Discriminator(_kind),
]
"""One item of `load:`."""
