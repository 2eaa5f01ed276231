"""The verdict as one sentence that a manager understands."""

from burstline.core.load.samples import Outcome
from burstline.core.quota.answers.limits import concurrency_limits
from burstline.core.quota.findings.bindings import Binding
from burstline.core.quota.findings.verdict import Verdict
from burstline.core.quota.quotas import Family, Layer
from burstline.server.judging.record import RunRecord
from burstline.server.judging.weighing import Judgement

NAMES = {
    Layer.USAGE_PLAN: "usage plan",
    Layer.STAGE: "stage throttle",
    Layer.ACCOUNT_GATEWAY: "account's API Gateway throttle",
    Layer.INVOCATION_RATE: "ten-times rule (requests a second per unit of Lambda concurrency)",
    Layer.RESERVED_CONCURRENCY: "reserved concurrency",
    Layer.ACCOUNT_CONCURRENCY: "account's Lambda concurrency",
    Layer.SCALING_RATE: "Lambda scaling rate",
    Layer.WAF: "web application firewall",
    Layer.OTHER: "caller or another limit",
}
"""What each layer is called after "your"."""

LAWS = {
    Family.BUCKET: "A request-rate limit",
    Family.CONCURRENCY: "A limit on calls in flight",
    Family.SCALING_RATE: "Lambda's scaling rate",
    Family.INVOCATION_RATE: "Lambda's ten-times rule",
    Family.WINDOW_COUNTER: "A request counter",
    Family.PLAN_QUOTA: "The usage plan's quota",
    Family.WAF: "A web application firewall",
    Family.UNKNOWN: "Some limit",
}


def summary(record: RunRecord, judgement: Judgement) -> str:
    """Return the decisive verdict in one sentence, with its numbers; of a stopped run it says how far that goes."""
    text = _verdict(record, judgement)
    if record.stopped_by != "user" or judgement.verdicts[0] is Verdict.COULD_NOT_RUN:
        return text
    planned_s = record.schedule.duration_s
    if judgement.verdicts[0] is Verdict.PASSED:
        text = text.removeprefix("Passed: ")
    return f"Stopped by a user after {record.duration_s:,.1f} of {planned_s:,.1f} s. Until then: {text}"


def _verdict(record: RunRecord, judgement: Judgement) -> str:
    ledger, verdict = record.ledger, judgement.verdicts[0]
    if verdict is Verdict.COULD_NOT_RUN:
        return f"Nothing could be measured: {record.problem}"
    if verdict is Verdict.INCOMPLETE:
        gone = ledger.lost + ledger.orphaned + ledger.unsent
        return (
            f"The run is incomplete: of {ledger.due:,} due requests, {gone:,} were lost, orphaned or unsent when "
            "workers went away."
        )
    if verdict is Verdict.GENERATOR_LIMITED:
        return (
            "No quota can be told from this run: we could not send as planned "
            f"in {sum(span.to_s - span.from_s for span in judgement.limited):,.0f} of {record.duration_s:,.0f} s."
            if judgement.limited
            else "No quota can be told from this run: the emulated target itself was late."
        )
    if verdict is Verdict.ABORTED:
        return f'The run was stopped by its own rule "{record.abort_rule}" after {record.duration_s:,.1f} s.'
    outcomes = judgement.settlement.outcomes()
    throttled = outcomes[Outcome.THROTTLED]
    if verdict is Verdict.QUOTA_BOUND:
        share = f"{throttled:,} of {ledger.sent:,} requests were throttled."
        if not judgement.bindings:
            return share
        # the limit that throttled most speaks first
        most = max(judgement.bindings, key=lambda binding: binding.throttled_count)
        same = [one for one in judgement.bindings if (one.layer, one.family) == (most.layer, most.family)]
        return f"{_subject(record, most)} binds from {same[0].from_s:,.1f} s; {share}"
    if verdict is Verdict.THRESHOLD_FAILED:
        failed = [result.expression for result in judgement.thresholds if not result.passed]
        return (
            f"No quota binds, but {len(failed)} of {len(judgement.thresholds)} thresholds failed: {'; '.join(failed)}."
        )
    rest = "none was throttled" if not throttled else f"{throttled:,} throttled ones are within the tolerance"
    return f"Passed: {ledger.sent:,} requests were sent as planned and {rest}."


def _subject(record: RunRecord, binding: Binding) -> str:
    if binding.fitted:
        names = [NAMES[binding.layer]] if binding.layer else [NAMES[one.layer] for one in binding.candidates]
        return f"{LAWS[binding.family]} ({binding.fitted}, as fitted; {' or '.join(dict.fromkeys(names))})"
    if binding.layer is None:
        fitting = [one.layer for one in binding.candidates if one.explains]
        names = [NAMES[layer] for layer in fitting or [one.layer for one in binding.candidates]]
        return f"{LAWS[binding.family]} ({' or '.join(dict.fromkeys(names))})" if names else LAWS[binding.family]
    name = f"Your {NAMES[binding.layer]}"
    if binding.family is Family.PLAN_QUOTA:
        return "Your usage plan's quota"
    if binding.limit is not None:
        return f"{name} ({binding.limit.rate_per_s:,.0f} requests/s, burst {binding.limit.burst:,.0f})"
    for cap in concurrency_limits(record.plan, record.account):
        if cap.layer is binding.layer:
            of = f" of {cap.function}" if cap.function else ""
            return f"{name}{of} ({cap.value:,} calls in flight)"
    return name
