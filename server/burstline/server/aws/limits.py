"""How often each API may be called, and the limiter that holds us to it: AWS's limits are shared with all other tools
of the account, so ours are at or below them."""

from asyncio_throttle.throttler import Throttler

DEFAULT_PER_S = 20
"""For calls whose API states no limit that we could come near to."""

LIMITS_PER_S = {
    "service-quotas": 5,
    "service-quotas RequestServiceQuotaIncrease": 1,
    "lambda": 10,
    "apigateway": 8,
    "cloudwatch GetMetricData": 20,
    "cloudwatch ListMetrics": 10,
    "logs StartQuery": 5,
    "logs GetQueryResults": 5,
}
"""Calls a second by service, or by service and operation. AWS's own, read 2026-11-23: Service Quotas 5 for most reads
and 3 for requests (Service Quotas User Guide, "Service Quotas quotas"); Lambda 15 for all control-plane calls together
(Lambda Developer Guide, "Lambda quotas"); API Gateway 10 for all together, REST and HTTP APIs in one (API Gateway
Developer Guide, "Quotas"); GetMetricData 500, ListMetrics 25 (CloudWatch User Guide, "CloudWatch service quotas");
StartQuery and GetQueryResults 10 (CloudWatch Logs User Guide, "CloudWatch Logs quotas")."""

_SHARED = {"apigatewayv2": "apigateway"}


class CallLimits:
    """One limiter per API bucket.

    `Throttler` lets the allowed calls of a second through at once and makes the others wait: right for an API's limit,
    whatever it is worth as a pacer.
    """

    def __init__(self) -> None:
        self._throttlers: dict[str, Throttler] = {}

    def of(self, service: str, operation: str) -> Throttler:
        """Return the limiter of an operation; `async with` it around the call."""
        service = _SHARED.get(service, service)
        own = f"{service} {operation}"
        key = own if own in LIMITS_PER_S else service
        if key not in self._throttlers:
            self._throttlers[key] = Throttler(LIMITS_PER_S.get(key, DEFAULT_PER_S), period=1.0)
        return self._throttlers[key]
