"""What share of the environments that functions without reserved concurrency share a forecast run takes."""

from dataclasses import replace

from burstline.core.quota.advice.concurrency_advice import mean_service_s
from burstline.core.quota.aws.neighbours import Neighbours, PoolShare, taken
from burstline.core.quota.forecast.records import Forecast
from burstline.core.quota.quotas import Account


def pool_share_of(found: Forecast, account: Account, neighbours: Neighbours | None = None) -> PoolShare | None:
    """Return the share at the peak; None where no function of the run takes from the shared pool.

    The functions' peaks are added up although they need not coincide: an upper bound.

    Args:
        found: the forecast.
        account: its limit, its functions, and declared traffic of others.
        neighbours: what others took, as AWS says; None: as the account declares.
    """
    mine = [one for one in found.functions if one.request_count.high > 0 and _shares(account, one.name)]
    if not mine:
        return None
    run = sum(one.peak_concurrency.mid for one in mine)
    reserved_by_others = neighbours.reserved_by_others or 0 if neighbours is not None else 0
    others = _declared(account, {one.name for one in mine}) if neighbours is None else neighbours.concurrency
    share = taken(account, run, others, reserved_by_others)
    text = (
        f"At its peak the run takes about {run:,.0f} of the {share.pool:,} environments that functions without "
        f"reserved concurrency share ({share.share})"
    )
    if others:
        text += f"; others take about {others:,.0f}"
    text += ", together more than there is: other functions would be throttled." if share.crowded and others else "."
    return replace(share, text=text)


def _shares(account: Account, name: str) -> bool:
    return name not in account.functions or account.functions[name].reserved is None


def _declared(account: Account, run: set[str]) -> float:
    """Mean concurrency of the declared traffic of functions outside the run; the run's own is in its peaks."""
    return sum(
        function.other_rate_per_s * mean_service_s(function.duration)
        for name, function in account.functions.items()
        if name not in run and function.reserved is None
    )
