"""A report's sections as what its page shows: verdict, quotas, advice."""

from datetime import datetime
from typing import Any

from burstline.server.pages.folding import Report, percentile_curve, value_at
from burstline.server.pages.formats import (
    UNKNOWN,
    count_text,
    latency_text,
    number_text,
    percent_text,
    quota_title,
    share_text,
    words,
)
from burstline.server.pages.tables import Table

TONES = {
    "passed": "good",
    "quota_bound": "bad",
    "threshold_failed": "bad",
    "could_not_run": "bad",
    "incomplete": "doubt",
    "generator_limited": "doubt",
    "aborted": "doubt",
}
"""Good and bad speak of the target, doubt of the run."""

TIGHT_RATIO = 0.2
"""Headroom below which a quota is worth a look."""

MOST_SPANS = 24
"""Binding spans in the table; the chart shades all."""

Figures = list[tuple[str, str, str]]


def verdict_of(report: Report) -> dict[str, Any]:
    """Return the verdict's words and tone, and the other verdicts that hold."""
    verdict = report["verdict"]
    others = [words(other) for other in report["verdicts"] if other != verdict]
    return {"words": words(verdict), "tone": TONES.get(verdict, "none"), "others": others}


def figures_of(report: Report) -> Figures:
    """Return (label, value, tone) of the numbers that stand at the top."""
    ledger = report["ledger"]
    throttled = ledger["outcomes"]["throttled"]
    found: Figures = [("requests sent", count_text(ledger["sent"]), "")]
    if ledger["sent"]:
        share = f"{count_text(throttled)} ({share_text(throttled, ledger['sent'])})" if throttled else "0"
        found.append(("throttled", share, "bad" if throttled else "good"))
    sent = [value for value in report["series"]["columns"].get("sent", []) if value is not None]
    if sent:
        found.append(("in the busiest second", f"{count_text(max(sent))}/s", ""))
    p99 = _ok_p99(report)
    if p99 is not None:
        found.append(("latency p99 of ok requests, from due", latency_text(p99), ""))
    tight = [one for one in report["findings"] if one["headroom_ratio"] is not None]
    if tight:
        least = min(tight, key=lambda one: float(one["headroom_ratio"]))
        ratio = least["headroom_ratio"]
        found.append((f"headroom of {least['name']}", percent_text(ratio, 0), headroom_tone(ratio)))
    return found


def _ok_p99(report: Report) -> float | None:
    for one in report.get("distributions", ()):
        if (one["outcome"], one["basis"]) == ("ok", "due"):
            return value_at(percentile_curve(one), 0.99)
    return None


def headroom_tone(ratio: float | None) -> str:
    """Return the tone of a headroom."""
    if ratio is None:
        return ""
    return "bad" if ratio < 0 else "doubt" if ratio < TIGHT_RATIO else "good"


def started_text(report: Report) -> str:
    """Return when the run began, in its own time zone."""
    started = report["run"]["started_at"]
    if not started:
        return UNKNOWN
    moment = datetime.fromisoformat(started)
    return f"{moment:%A, %d %B %Y, %H:%M:%S} {moment.tzname() or ''}".strip()


def quotas_of(report: Report) -> list[dict[str, Any]]:
    """Return each quota with its use, headroom and what is recommended."""
    recommended = {one["quota"]: one for one in report["advice"]}
    found = []
    for one in report["findings"]:
        ratio = one["peak_use"] / one["limit"] if one["limit"] and one["peak_use"] is not None else None
        found.append(
            {
                "name": one["name"],
                "quota": one["quota"],
                "limit": number_text(one["limit"]),
                "source": one["limit_source"],
                "use": number_text(one["peak_use"]),
                "ratio": ratio,
                "percent": percent_text(ratio, 0),
                "headroom": percent_text(one["headroom_ratio"], 0),
                "tone": headroom_tone(one["headroom_ratio"]),
                "recommended": _recommended(one["quota"], recommended),
            }
        )
    return found


def _recommended(quota: str, advice: dict[str, dict[str, Any]]) -> str:
    """A stage's or usage plan's advice covers its rate and its burst; any other is the quota's own."""
    own, _, part = quota.rpartition(":")
    if quota in advice and advice[quota]["recommended"] is not None:
        return number_text(advice[quota]["recommended"])
    if own in advice and part in ("rate", "burst") and own.startswith("apigateway:"):
        value = advice[own]["recommended"] if part == "rate" else (advice[own]["burst"] or {}).get("recommended")
        return number_text(value)
    return UNKNOWN


def advice_of(report: Report) -> list[dict[str, Any]]:
    """Return each advice with its numbers as sentences."""
    names = {one["quota"]: one["name"] for one in report["findings"]}
    found = []
    for one in report["advice"]:
        if one["recommended"] is None:
            headline = "An increase will not help."
        else:
            headline = (
                f"{number_text(one['recommended'])} {one['unit']} in place of {number_text(one['current'])}; "
                f"required are {number_text(one['required'])}."
            )
        found.append(
            one | {"title": quota_title(one["quota"], names), "headline": headline, "burst": _burst(one["burst"])}
        )
    return found


def _burst(burst: dict[str, Any] | None) -> str:
    if not burst or burst["recommended"] is None:
        return ""
    text = f"Burst: {number_text(burst['recommended'])} in place of {number_text(burst['current'])}"
    text += f"; required are {number_text(burst['required'])}." if burst["required"] is not None else "."
    return text if burst["adjustable"] else f"{text} The burst cannot be raised by itself."


def no_advice(report: Report) -> str:
    """Return why there is no advice."""
    if report["verdict"] == "generator_limited":
        return "Advice is withheld: this run measured our own limit, not AWS's. Run it again with more workers."
    if report["verdict"] == "could_not_run":
        return "The run could not take place, so nothing can be advised."
    return "Nothing needs to be raised for the demand of this plan."


def bindings_of(report: Report) -> tuple[Table | None, list[tuple[str, list[str]]]]:
    """Return the spans in which a quota throttled, and the evidence for each."""
    rows, evidence = [], []
    most = sorted(report["bindings"], key=lambda one: -float(one["throttled_count"]))[:MOST_SPANS]
    for one in sorted(most, key=lambda one: float(one["from_s"])):
        layers = [words(candidate["layer"]) for candidate in one["candidates"]]
        owner = words(one["layer"]) if one["layer"] else " or ".join(layers) or "unknown"
        when = f"{one['from_s']:,.1f} to {one['to_s']:,.1f} s"
        law = words(one["family"]) + (f", its {one['part']}" if one["part"] else "")
        rows.append((when, owner, law, count_text(one["throttled_count"]), percent_text(one["confidence"], 0)))
        lines = [f"{words(candidate['layer'])}: {candidate['evidence']}" for candidate in one["candidates"]]
        evidence.append((f"{when}, {owner}", lines))
    if not rows:
        return None, []
    columns = ("when", "quota", "law", "throttled", "confidence")
    rest = len(report["bindings"]) - len(rows)
    more = f"; the {len(rows)} that throttled most, of {len(report['bindings'])}" if rest else ""
    return Table(f"Spans in which a quota bound{more}", columns, tuple(rows), left=3), evidence
