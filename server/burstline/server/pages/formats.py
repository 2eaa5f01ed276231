"""Numbers, times and codes as a person reads them on a page; what is unknown is a dash."""

from collections.abc import Mapping

UNKNOWN = "–"

LAYERS = {
    "usage_plan": "usage plan",
    "stage": "stage throttle",
    "account_gateway": "API Gateway account throttle",
    "invocation_rate": "ten-times rule",
    "reserved_concurrency": "reserved concurrency",
    "account_concurrency": "account concurrency",
    "scaling_rate": "Lambda scaling rate",
    "waf": "web application firewall",
    "other": "another limit",
}
"""What the layers of a report are called; families and outcomes read well as they are spelled."""


def words(code: str | None) -> str:
    """Return a code of the report as words: `timed_out` is `timed out`."""
    return LAYERS.get(code, code.replace("_", " ")) if code else UNKNOWN


def count_text(count: float | None) -> str:
    """Return a count with thousands separated: `12,345`."""
    return UNKNOWN if count is None else f"{count:,.0f}"


def number_text(value: float | None) -> str:
    """Return a number with as many digits as matter: `1,200`, `12.5`, `0.31`."""
    if value is None:
        return UNKNOWN
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"


def latency_text(seconds: float | None) -> str:
    """Return a time with three digits: `4.12 ms`, `45.1 ms`, `312 ms`, `1.25 s`."""
    if seconds is None:
        return UNKNOWN
    if seconds >= 1:
        return f"{seconds:.2f} s"
    ms = seconds * 1000
    return f"{ms:.2f} ms" if abs(ms) < 10 else f"{ms:.1f} ms" if abs(ms) < 100 else f"{ms:.0f} ms"


def span_text(seconds: float | None) -> str:
    """Return a length of time: `850 ms`, `45 s`, `3 min 30 s`, `2 h 05 min`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.3g} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def percent_text(ratio: float | None, digits: int = 1) -> str:
    """Return a ratio in percent: 0.125 is `12.5%`; one digit more where it would seem to be none: `−0.5%`."""
    if ratio is None:
        return UNKNOWN
    text = f"{ratio:.{digits}%}"
    if ratio and not text.strip("-0.%"):
        text = f"{ratio:.{digits + 1}%}"
    return text.replace("-", "\N{MINUS SIGN}")


def quota_title(quota: str, names: Mapping[str, str]) -> str:
    """Return what a quota that advice is about is called.

    Args:
        quota: as in the report's advice; a stage's or usage plan's covers its rate and its burst.
        names: of the report's findings, by quota.
    """
    if quota in names:
        return names[quota]
    if f"{quota}:rate" in names:
        return names[f"{quota}:rate"].removesuffix(" rate, requests/s")
    kind, _, function = quota.removeprefix("lambda:").partition(":")
    return f"Provisioned concurrency of {function}" if kind == "provisioned" else quota


def share_text(part: float, whole: float) -> str:
    """Return a part of a whole in percent; a dash of nothing."""
    return f"{part / whole:.2%}" if whole else UNKNOWN


def usd_text(usd: float | None) -> str:
    """Return an amount of money: cents where they matter."""
    return UNKNOWN if usd is None else f"USD {usd:,.2f}" if usd >= 1 else f"USD {usd:,.4f}"


def observed_text(expression: str, value: float | None) -> str:
    """Return what a threshold observed, in the unit of its measure (`latency p99 < 300ms` observes a time)."""
    if value is None:
        return "nothing observed"
    measure = expression.split()[0]
    if measure in ("latency", "lateness"):
        return latency_text(value)
    return f"{value:,.1f}/s" if measure == "rate" else f"{value:.3%}"


def plural(count: int, noun: str) -> str:
    """Return `1 worker`, `2 workers`."""
    return f"{count_text(count)} {noun}" if count == 1 else f"{count_text(count)} {noun}s"
