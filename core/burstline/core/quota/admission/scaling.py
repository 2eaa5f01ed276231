"""How fast environments may be added: the current per-function rate, and the account-wide one before Nov 2023.

What AWS documents (Lambda Developer Guide, "Lambda scaling behavior"; read 2026-11-23): each function may add 1,000
environments every 10 seconds, refilled continuously, and unused allowance does not accumulate. So it is a token
bucket of 1,000 tokens and 100 tokens/s. The 2023 text: an initial burst by region, shared by the account, then 500
more every minute. Our assumption: that, too, refilled continuously, and up to the burst again.
"""

from burstline.core.quota.admission.buckets import TokenBucket
from burstline.core.quota.quotas import LEGACY_REFILL_PER_S, SCALING_PERIOD_S, SCALING_STEP, Account, Scaling


class ScalingRate:
    """Gives each function the bucket that its new environments take a token from.

    Args:
        account: its `scaling` and, in the legacy regime, its `legacy_burst` count.
    """

    __slots__ = ("_shared",)

    def __init__(self, account: Account) -> None:
        legacy = account.scaling is Scaling.LEGACY
        self._shared = TokenBucket(LEGACY_REFILL_PER_S, account.legacy_burst) if legacy else None

    def bucket_for_function(self) -> TokenBucket:
        """Return one more function's bucket, in environments: its own (current), or everybody's (legacy)."""
        if self._shared is not None:
            return self._shared
        return TokenBucket(SCALING_STEP / SCALING_PERIOD_S, SCALING_STEP)
