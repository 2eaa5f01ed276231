"""The colours of pages and charts, light and dark.

Text has at least 4.5 : 1 against its background and whatever carries meaning in a chart at least 3 : 1 (WCAG 2.2, AA);
a test computes it. Series differ by dash as well as by colour, and no two that meet in one chart differ only in red
and green.
"""

from typing import Final

Pair = tuple[str, str]
"""(light, dark)."""

PAGE: Final[Pair] = ("#ffffff", "#11161c")
PANEL: Final[Pair] = ("#f5f7f9", "#1a212a")
LINE: Final[Pair] = ("#d5dbe1", "#323d49")
TEXT: Final[Pair] = ("#1b2229", "#e6ebf0")
QUIET: Final[Pair] = ("#545f6b", "#a3afbc")
LINK: Final[Pair] = ("#0b5cad", "#79b8ff")
GOOD: Final[Pair] = ("#0f766e", "#2dd4bf")
BAD: Final[Pair] = ("#b3340a", "#ff9d6b")
DOUBT: Final[Pair] = ("#8a5a00", "#f0c05a")

DUE: Final[Pair] = ("#5b6672", "#a3afbc")
SENT: Final[Pair] = ("#1d63c4", "#6cb0ff")
ACCEPTED: Final[Pair] = ("#1c9450", "#4be3a0")
THROTTLED: Final[Pair] = BAD
OTHER: Final[Pair] = ("#8250b0", "#cfa6f5")
LIMIT: Final[Pair] = ("#a3123f", "#ff8fb1")
P50: Final[Pair] = ("#7c74c9", "#8f86e0")
P95: Final[Pair] = ("#5b3fb5", "#b7a8f5")
P99: Final[Pair] = ("#35197a", "#e6deff")
GRID: Final[Pair] = ("#e3e8ec", "#28313b")
PHASE: Final[Pair] = ("#0b1a2a", "#dbe7f3")

CSS_NAMES: Final[dict[str, Pair]] = {
    "page": PAGE, "panel": PANEL, "line": LINE, "text": TEXT, "quiet": QUIET, "link": LINK, "good": GOOD, "bad": BAD,
    "doubt": DOUBT, "due": DUE, "sent": SENT, "accepted": ACCEPTED, "throttled": THROTTLED, "other": OTHER,
    "limit": LIMIT, "p50": P50, "p95": P95, "p99": P99, "phase": PHASE,
}  # fmt: skip
"""Custom properties of the style sheet, without `--`."""


def css_variables(scheme: int) -> str:
    """Return the declarations of all custom properties; 0 is light, 1 dark."""
    return "".join(f"--{name}:{pair[scheme]};" for name, pair in CSS_NAMES.items())


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours `#rrggbb`, 1..21.

    Source: WCAG 2.2, "contrast ratio" and "relative luminance", https://www.w3.org/TR/WCAG22/, read 2026-11-23.
    """
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
