"""Advice: for each limit in the demand's way, the number that lets it through, why, and the command."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from burstline.core.load.plan import Plan
from burstline.core.quota.admission.replay import ReplayResult
from burstline.core.quota.advice.bucket_advice import bucket_proposals
from burstline.core.quota.advice.concurrency_advice import concurrency_proposals
from burstline.core.quota.advice.demand import Demand, with_load
from burstline.core.quota.advice.frontier import highest_rate
from burstline.core.quota.advice.gentler import gentler, with_pace
from burstline.core.quota.advice.peaks import MOST_ARRIVALS
from burstline.core.quota.advice.playing import is_cut, play, refused_by_laws
from burstline.core.quota.advice.proposals import Advice, Proposal
from burstline.core.quota.advice.provisioning import provisioned_advice
from burstline.core.quota.advice.splitting import split_text
from burstline.core.quota.advice.ways_out import Limit, ways_out
from burstline.core.quota.quotas import Account, Layer

__all__ = ["advise", "play"]


def advise(plan: Plan, account: Account, demand: Demand) -> tuple[Advice, ...]:
    """Return what to change for the demand, outermost limit first; empty if every limit has headroom.

    Each advice is checked by playing the demand through the admission model with all of them in force. Where the plan
    has to change, the numbers of the others are those that the changed plan needs, and that is what is played.
    """
    if not len(demand.times_s):
        return ()
    proposals = _proposals(plan, account, demand)
    if not proposals:
        return ()
    enough = changed = _in_force(account, proposals)
    result = play(plan, changed, demand)
    refused = dict(result.throttled_count)
    laws = refused_by_laws(plan, changed, demand) if is_cut(demand) else {}
    gentle = _changes_of_plan(plan, changed, demand, proposals, refused, laws.get(Layer.SCALING_RATE, False))
    slow = _of_changed_plan(plan, account, changed, demand, gentle)
    found = []
    if slow is not None:
        # what no increase solves is still worth saying
        found = [one.advice for one in proposals if one.unsolved and one.advice.recommended is None]
        unchanged, (demand, proposals, result) = demand, slow
        changed, refused, laws = _in_force(account, proposals), {}, {}
        if changed.gateway != enough.gateway:
            gentle = with_pace(plan, changed, unchanged, gentle)
    refusing = {layer for layer, count in refused.items() if count} | {layer for layer, over in laws.items() if over}
    found += _needed(plan, account, demand, proposals, refusing)
    found = _with_split([*found, *gentle], plan, account, demand, is_cut(demand))
    return (*found, *provisioned_advice(plan, changed, demand, result))


def _needed(
    plan: Plan, account: Account, demand: Demand, proposals: Sequence[Proposal], refusing: Set[Layer]
) -> Iterator[Advice]:
    """The advice that the demand needs, with what else would do, verified where its layer refuses nothing any more."""
    for proposal in proposals:
        if proposal.needed:
            others = _ways_out(plan, account, demand, proposal, [one for one in proposals if one is not proposal])
            advice = replace(
                proposal.advice,
                verified=proposal.layer not in refusing and proposal.advice.recommended is not None,
                alternatives=(*others, *proposal.advice.alternatives),
            )
            yield _with_check(advice) if is_cut(demand) else advice


def _proposals(plan: Plan, account: Account, demand: Demand) -> list[Proposal]:
    return [*bucket_proposals(plan, account, demand), *concurrency_proposals(plan, account, demand)]


def _in_force(account: Account, proposals: Sequence[Proposal]) -> Account:
    for proposal in proposals:
        account = proposal.apply(account)
    return account


def _of_changed_plan(
    plan: Plan, account: Account, enough: Account, demand: Demand, gentle: Sequence[Advice]
) -> tuple[Demand, list[Proposal], ReplayResult] | None:
    """Return the demand of the changed plan, what that needs, and how it passes; None where no plan is known to.

    Args:
        account: as it is.
        enough: with all that is in force which the plan was changed for.
    """
    load = next((one.load for one in gentle if one.verified), None)
    if load is None:
        return None
    changed = with_load(demand, plan, load)
    what = f"the plan as changed here (highest second: {highest_rate(changed.times_s, 1.0):,.0f} requests)"
    changed = replace(changed, what=what)
    proposals = _proposals(plan, account, changed)
    if enough.gateway == account.gateway:  # the plan was made to pass it as it is
        proposals = [one for one in proposals if one.layer is not Layer.ACCOUNT_GATEWAY]
    enough = _in_force(account, proposals)
    result = play(plan, enough, changed)
    if result.throttled_count or (is_cut(changed) and any(refused_by_laws(plan, enough, changed).values())):
        return None
    return changed, proposals, result


def _ways_out(
    plan: Plan, account: Account, demand: Demand, proposal: Proposal, others: Sequence[Proposal]
) -> tuple[str, ...]:
    """What else would do, replayed with this limit as it is and all other advice in force."""
    for other in others:
        account = other.apply(account)
    layers = {proposal.layer} | ({Layer.INVOCATION_RATE} if proposal.concurrency is not None else set())

    def refused(changed: Demand, seed: int) -> int:
        counts = play(plan, account, changed, seed).throttled_count
        return sum(counts.get(layer, 0) for layer in layers)

    return ways_out(plan, demand, Limit(refused, proposal.served, proposal.concurrency))


def _with_check(advice: Advice) -> Advice:
    text = (
        f" Checked: the busiest {MOST_ARRIVALS:,} arrivals were replayed, all others held to the same laws one by one."
    )
    return replace(advice, derivation=advice.derivation + text)


def _changes_of_plan(
    plan: Plan, changed: Account, demand: Demand, proposals: Sequence[Proposal], refused: dict[Layer, int], grows: bool
) -> list[Advice]:
    """Advice for what no increase solves: the account's burst, and the scaling rate."""
    burst = any(one.needed and one.layer is Layer.ACCOUNT_GATEWAY and one.unsolved for one in proposals)
    scaling = refused.get(Layer.SCALING_RATE, 0)
    if not (burst or scaling or grows):
        return []
    return gentler(plan, changed, demand, burst=burst, scaling_count=scaling, grows=grows)


def _with_split(found: list[Advice], plan: Plan, account: Account, demand: Demand, cut: bool) -> list[Advice]:
    """Where Lambda's concurrency is short: what another split of what is there would do."""
    if cut or not any(one.quota.startswith("lambda:reserved:") for one in found):
        return found
    text = split_text(plan, account, demand)
    return [
        replace(one, alternatives=(text, *one.alternatives)) if one.quota.startswith("lambda:") and text else one
        for one in found
    ]
