"""Conditions as users write them: `latency p99 < 300ms`, `throttled > 50% for 10s`, `rate >= 900`."""

import re

from burstline.core.load.plan import Condition
from burstline.core.load.samples import Outcome

SHARES = (*(outcome.value for outcome in Outcome), "dropped")
"""Measures that are shares of what was sent (`dropped`: of what came due)."""

TIMES = ("latency", "lateness")
"""Measures that are quantiles of times."""

NEIGHBOURS = "neighbours"
"""Throttled calls of other functions of the account in a minute, as CloudWatch counts them; abort rules only."""

UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

_PATTERN = re.compile(
    r"(?P<measure>[a-z_]+)(?:\s+(?P<quantile>p\d{1,2}(?:\.\d+)?|max|mean))?\s*(?P<operator><=|>=|<|>)\s*"
    r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|m|h|%)?(?:\s+for\s+(?P<for>\d+(?:\.\d+)?)\s*(?P<for_unit>ms|s|m))?"
)
_FORM = "write it as `latency p99 < 300ms`, `throttled < 0.1%` or `rate >= 900`"


def parse_condition(text: str, *, duration_allowed: bool) -> Condition:
    """Return a condition.

    Args:
        text: as the user wrote it.
        duration_allowed: whether `for 10s` may follow; without it the condition holds for one second.

    Raises:
        ValueError: it is none; the message is a sentence that says what was found and what is allowed.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a condition: {_FORM}")
    measure, quantile, unit = match["measure"], match["quantile"], match["unit"]
    number = float(match["number"])
    if match["for"] and not duration_allowed:
        raise ValueError(f"{text!r}: `for` belongs to abort rules; a threshold is judged over the whole run")
    for_s = float(match["for"]) * UNITS_S[match["for_unit"]] if match["for"] else 0.0
    if measure in TIMES:
        if quantile is None or quantile == "mean":
            raise ValueError(f"{text!r}: {measure} needs a quantile such as p99, or max")
        if unit is None or unit == "%":
            raise ValueError(f"{text!r}: {measure} is compared with a time such as 300ms")
        share = 1.0 if quantile == "max" else float(quantile[1:]) / 100
        return Condition(text, measure, share, match["operator"], number * UNITS_S[unit], for_s)
    if quantile:
        raise ValueError(f"{text!r}: only {' and '.join(TIMES)} have a {quantile}")
    if measure == "rate":
        if unit:
            raise ValueError(f"{text!r}: a rate is a bare number of requests per second")
        return Condition(text, measure, None, match["operator"], number, for_s)
    if measure == NEIGHBOURS and duration_allowed:
        if unit or for_s:
            raise ValueError(f"{text!r}: {measure} is compared with a bare count of throttled calls in a minute")
        return Condition(text, measure, None, match["operator"], number)
    if measure in SHARES:
        if unit != "%" or number > 100:
            raise ValueError(f"{text!r}: {measure} is compared with a share from 0% to 100%")
        return Condition(text, measure, None, match["operator"], number / 100, for_s)
    raise ValueError(f"{text!r}: {measure!r} is no measure: use {', '.join((*TIMES, 'rate', *SHARES))}")
