"""Numbers and times as a person reads them."""


def count_text(count: float) -> str:
    """Return a count with thousands separated: `12,345`."""
    return f"{count:,.0f}"


def rate_text(rate_per_s: float) -> str:
    """Return a rate: `1,200/s`, below 10 with one digit more."""
    return f"{rate_per_s:,.1f}/s" if 0 < rate_per_s < 10 else f"{rate_per_s:,.0f}/s"


def span_text(seconds: float) -> str:
    """Return a length of time: `850 ms`, `45 s`, `3 m 30 s`, `2 h 05 m`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:g} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"


def clock_text(seconds: float) -> str:
    """Return a position in a run: `03:05`, `1:03:05`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60:02d}:{rest % 60:02d}"


def latency_text(seconds: float | None) -> str:
    """Return a latency in ms with three digits: `4.12 ms`, `45.1 ms`, `312 ms`, `1.25 s`; `-` for None."""
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    ms = seconds * 1000
    return f"{ms:.2f} ms" if ms < 10 else f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"


def plural(count: int, noun: str) -> str:
    """Return `1 worker`, `2 workers`."""
    return f"{count_text(count)} {noun}" if count == 1 else f"{count_text(count)} {noun}s"
