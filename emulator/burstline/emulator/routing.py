"""Which function a request invokes, under which usage plan; or what it is told in place of that."""

from burstline.core.load.plan import Front
from burstline.core.quota.admission.admission import Call
from burstline.core.quota.quotas import Account, Function
from burstline.emulator.answers import Answer, Situation, situation_answer
from burstline.emulator.exchange import Exchange
from burstline.emulator.settings import GATEWAY_FRONTS, EmulatorSettings

INVOKE_PREFIX = "/2015-03-31/functions/"
INVOKE_SUFFIX = "/invocations"
KEY_HEADER = b"x-api-key"

ONLY_FUNCTION = "function"
"""Name of the function of an account that lists none: all of `Function`'s defaults."""

BODY_LIMIT_BYTES = {
    Front.REST: 10_000_000, Front.HTTP: 10_000_000, Front.FUNCTION_URL: 6_291_456, Front.LAMBDA: 6_291_456,
    Front.ALB: 1_048_576, Front.PLAIN: 10_000_000,
}  # fmt: skip
"""Longest request body by front. Sources: API Gateway Developer Guide "Quotas" (10 MB), Lambda Developer Guide "Lambda
quotas" (6 MB), ELB user guide "Lambda functions as targets" (1 MB); read 2026-11-23. Lambda's 6 MB limit behind a
gateway is not modelled."""

CACHE_COUNT = 10_000
"""Paths whose route is remembered; then all are forgotten."""


class Router:
    """Maps requests to calls.

    Args:
        account: its functions.
        settings: front, stage, routes and keys.
    """

    def __init__(self, account: Account, settings: EmulatorSettings) -> None:
        self._settings = settings
        self._functions = account.functions or {ONLY_FUNCTION: Function(ONLY_FUNCTION)}
        self._prefix = settings.path_prefix
        routes = settings.routes or {"/": next(iter(self._functions))}
        self._routes = sorted(
            ((path.rstrip("/"), function) for path, function in routes.items()), key=lambda route: -len(route[0])
        )
        self._keys = {key.encode("latin-1"): plan for key, plan in settings.api_keys.items()}
        self._gateway = settings.front in GATEWAY_FRONTS
        self._body_limit = BODY_LIMIT_BYTES[settings.front]
        self._cache: dict[tuple[bytes, bytes], Call | Situation] = {}

    def route(self, exchange: Exchange) -> Call | Answer:
        """Return what the request calls, or the answer that ends it before any quota is met."""
        if exchange.body_bytes > self._body_limit:
            return situation_answer(self._settings.front, Situation.TOO_LARGE)
        if self._settings.front is Front.LAMBDA and exchange.method != b"POST":
            return situation_answer(self._settings.front, Situation.NO_ROUTE)
        key = (exchange.target.partition(b"?")[0], exchange.header(KEY_HEADER))
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHE_COUNT:
                self._cache.clear()
            found = self._cache[key] = self._find(key[0].decode("latin-1"), key[1])
        return found if isinstance(found, Call) else situation_answer(self._settings.front, found)

    def _find(self, path: str, key: bytes) -> Call | Situation:
        function = self._function(path)
        if function is None:
            return Situation.NO_ROUTE
        plan = self._keys.get(key)
        if plan is None and self._settings.api_key_required:
            return Situation.NO_KEY
        return Call(function, self._settings.stage, plan or "", self._gateway)

    def _function(self, path: str) -> str | None:
        if self._settings.front is Front.LAMBDA:
            name = path.removeprefix(INVOKE_PREFIX).removesuffix(INVOKE_SUFFIX)
            whole = path.startswith(INVOKE_PREFIX) and path.endswith(INVOKE_SUFFIX)
            return name if whole and name in self._functions else None
        if self._prefix:
            if not _under(path, self._prefix):
                return None
            path = path[len(self._prefix) :]
        return next((function for prefix, function in self._routes if _under(path, prefix)), None)


def _under(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or lies below it; whole segments only."""
    return path == prefix or path.startswith(prefix + "/") or not prefix
