"""Range checks that collect what is wrong instead of stopping at the first."""

import math
import re

from google.protobuf.duration_pb2 import Duration

from burstline.wire.errors import InvalidMessage, Violation


class Checks:
    """Violations found so far; every check returns a usable value, so that the next ones can go on."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def refuse(self, field: str, description: str) -> None:
        """Note that a field is wrong."""
        self._violations.append(Violation(field, description))

    def require(self, holds: bool, field: str, description: str) -> None:
        """Note that a field is wrong unless `holds`."""
        if not holds:
            self.refuse(field, description)

    def number(
        self,
        field: str,
        value: float,
        *,
        low: float,
        high: float,
        above_low: bool = False,
        unit: str = "",
    ) -> float:
        """Check that low <= value <= high (low < value with `above_low`); NaN and infinities are refused."""
        suffix = f" {unit}" if unit else ""
        if not math.isfinite(value) or value < low or value > high or (above_low and value == low):
            start = f"over {low:g}" if above_low else f"from {low:g}"
            self.refuse(field, f"{value:g}{suffix} is out of range: allowed is {start} to {high:g}{suffix}")
        return value

    def seconds(
        self,
        field: str,
        value: Duration,
        *,
        low: float,
        high: float,
        above_low: bool = False,
    ) -> float:
        """Check a duration's range in seconds and return it in seconds."""
        seconds = value.seconds + value.nanos * 1e-9
        return self.number(field, seconds, low=low, high=high, above_low=above_low, unit="s")

    def finish(self) -> None:
        """Raise InvalidMessage if anything was refused."""
        if self._violations:
            raise InvalidMessage(tuple(self._violations))


def duration_of(seconds: float) -> Duration:
    """Return seconds as a Duration, exact to the nanosecond."""
    nanos = round(seconds * 1e9)
    return Duration(seconds=int(nanos / 10**9), nanos=int(math.fmod(nanos, 10**9)))


def shown_url(url: str) -> str:
    """Return a URL for a message: without the user name and password that may stand in it."""
    return re.sub(r"//.*@", "//(hidden)@", url)
