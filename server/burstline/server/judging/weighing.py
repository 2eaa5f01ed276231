"""Settle, attribute, advise: what a run came to, before it is written down."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from burstline.core.quota.advice.advice import advise
from burstline.core.quota.advice.cost import Cost, cost_of
from burstline.core.quota.advice.demand import demand_of
from burstline.core.quota.advice.fitted_advice import advise_fitted
from burstline.core.quota.advice.proposals import Advice
from burstline.core.quota.answers.honesty import (
    TARGET_LATENESS_S,
    UNMADE,
    LimitedSpan,
    limited_s,
    limited_spans,
    overlaps,
)
from burstline.core.quota.answers.inflight import admitted_signatures, floor_of, in_flight
from burstline.core.quota.answers.series import Floats, Series, series_of
from burstline.core.quota.answers.settle import Settlement, settle
from burstline.core.quota.aws.confirming import (
    confirmed_bindings,
    confirmed_findings,
    decisions,
    throttle_notes,
    with_cold_starts,
)
from burstline.core.quota.findings.bindings import Binding, bindings_of
from burstline.core.quota.findings.findings import Finding, findings_of
from burstline.core.quota.findings.fitted import fitted_decisions, fitted_findings, fitted_limits, honest, with_fits
from burstline.core.quota.findings.replayed import replayed_decisions
from burstline.core.quota.findings.verdict import (
    LIMITED_RATIO,
    ThresholdResult,
    Verdict,
    evaluate,
    throttled_ratio,
    verdicts,
)
from burstline.core.quota.fitting.fitting import Fit, fit
from burstline.core.quota.quotas import Account
from burstline.server.judging.record import RunRecord


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run came to, before it is written down.

    Attributes:
        verdicts: every one that applies, the decisive one first.
        settlement: final outcomes.
        series: the 10 ms bins.
        in_flight: estimate of calls inside Lambda at the end of each bin.
        limited: spans in which the generator was the limit.
        notes: sentences for the user, the record's first.
    """

    verdicts: tuple[Verdict, ...]
    settlement: Settlement
    series: Series
    in_flight: Floats
    limited: tuple[LimitedSpan, ...]
    bindings: tuple[Binding, ...]
    fits: tuple[Fit, ...]
    findings: tuple[Finding, ...]
    advice: tuple[Advice, ...]
    thresholds: tuple[ThresholdResult, ...]
    cost: Cost
    notes: tuple[str, ...]


def weigh(record: RunRecord) -> Judgement:
    """Settle, attribute and advise: everything that goes into the report."""
    plan, totals, account = record.plan, record.totals, _with_region(record)
    series = series_of(totals)
    watch = record.aws.watch if record.aws is not None else None
    account = with_cold_starts(account, record.aws.cold_starts) if record.aws is not None else account
    spans = limited_spans(totals, series)
    fitted = honest(fit(totals, plan.target.front), spans)
    decided = fitted_decisions(fitted, plan, account, decisions(plan, account, watch, series))
    decided = replayed_decisions(plan, account, record.schedule, totals, series, fitted, decided)
    settlement = settle(plan, account, totals, series, decided)
    floor = floor_of(totals, settlement.explained)
    bindings = with_fits(bindings_of(plan, account, series, settlement, floor), fitted)
    unknown = fitted_limits(fitted, plan, account, bindings)
    bindings = confirmed_bindings(bindings, plan, account, watch)
    limited = _is_limited(record, spans, bindings)
    demand = demand_of(plan, account, record.schedule, totals, series, floor)
    advised = not (limited or record.problem) and record.ledger.sent > 0
    thresholds = tuple(evaluate(plan, totals, record.ledger, settlement, record.duration_s))
    admitted = sum(int(series.answers[name].sum()) for name in admitted_signatures(series) if name in series.answers)
    return Judgement(
        verdicts(
            problem=record.problem,
            ledger=record.ledger,
            generator_limited=limited,
            aborted=record.stopped_by == "abort",
            throttled_ratio=throttled_ratio(settlement),
            tolerated_ratio=plan.tolerated_throttled,
            thresholds=thresholds,
        ),
        settlement,
        series,
        in_flight(series, floor.value_s),
        spans,
        bindings,
        fitted.fits,
        (
            *confirmed_findings(findings_of(plan, account, series, floor), account, watch),
            *fitted_findings(unknown, series, floor),
        ),
        (*advise_fitted(unknown, plan, account, demand), *advise(plan, account, demand)) if advised else (),
        thresholds,
        cost_of(plan, account, demand, record.ledger.sent, admitted),
        (
            *record.notes,
            *(record.aws.notes if record.aws else ()),
            *_own_notes(record, spans, limited),
            *settlement.notes,
            *fitted.notes,
            *throttle_notes(plan, watch, settlement.throttled, series.answers),
            *demand.notes,
        ),
    )


def _with_region(record: RunRecord) -> Account:
    """The account, with the region that the record or the target's host tells if none was declared."""
    if "region" in record.account.declared:
        return record.account
    parts = (urlsplit(record.plan.target.url).hostname or "").split(".")
    from_host = parts[2] if len(parts) > 3 and parts[1] in ("execute-api", "lambda-url") else ""
    region = record.region or from_host
    return replace(record.account, region=region) if region else record.account


def _is_limited(record: RunRecord, spans: tuple[LimitedSpan, ...], bindings: tuple[Binding, ...]) -> bool:
    late = record.target_lateness_p99_s
    if late is not None and late > TARGET_LATENESS_S:
        return True
    if any(overlaps(spans, binding.from_s, binding.to_s) for binding in bindings):
        return True
    return limited_s(spans) > LIMITED_RATIO * record.duration_s


def _seconds(record: RunRecord, spans: tuple[LimitedSpan, ...]) -> str:
    return f"{limited_s(spans):,.0f} of {record.duration_s:,.0f} s"


def _own_notes(record: RunRecord, spans: tuple[LimitedSpan, ...], limited: bool) -> list[str]:
    notes = []
    late = record.target_lateness_p99_s
    if late is not None and late > TARGET_LATENESS_S:
        notes.append(f"Target limited: the emulator itself was {late * 1000:.1f} ms late (p99); no quota can be told.")
    unmade = tuple(span for span in spans if span.reason == UNMADE)
    ours = tuple(span for span in spans if span.reason != UNMADE)
    if ours:
        notes.append(
            f"Generator limited in {_seconds(record, ours)}: add workers (`burstline work --processes N`) or another "
            "machine."
        )
    if unmade:
        notes.append(
            f"In {_seconds(record, unmade)} requests could not be made from their templates: mend the plan or its "
            "data; more workers would not help."
        )
    if limited:
        notes.append("Advice is withheld: what was measured is not AWS's limit alone.")
    if record.stopped_by == "user":
        notes.append("Stopped by a user.")
    notes += [f"The ledger does not close: {law}." for law in record.ledger.imbalances()]
    return notes
