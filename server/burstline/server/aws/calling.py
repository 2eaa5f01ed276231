"""Calls to AWS from async code: boto3 in threads, held to each API's rate, and each read made once a run."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from burstline.core import tracing
from burstline.core.tracing import Kind
from burstline.server.aws.errors import AwsError, Refused, Unreachable, translate
from burstline.server.aws.limits import CallLimits
from burstline.server.aws.sessions import Clients
from burstline.server.aws.settings import AwsSettings

T = TypeVar("T")

MOST_THREADS = 4
"""Calls at a time. The APIs' limits are a few calls a second, so more threads would only wait."""

MOST_PAGES = 200
"""Pages read of one listing: an end for a service that never gives one."""

Answer = dict[str, Any]


class Aws:
    """One account in one region, asked politely.

    Reads are remembered until `forget`, errors too: a quota that is denied is asked for once. Use it from one loop.

    Args:
        settings: where and as whom.
        clients: makes clients; tests may give stubbed ones.
        limits: rates, shared by all that ask the same account.
    """

    def __init__(self, settings: AwsSettings, clients: Clients | None = None, limits: CallLimits | None = None) -> None:
        self.settings = settings
        self._clients = clients or Clients(settings)
        self._limits = limits or CallLimits()
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="aws")
        self._known: dict[str, asyncio.Future[Any]] = {}
        self._down: Unreachable | None = None
        self.call_count = 0

    async def region(self) -> str:
        """Return the region that is asked; raises Unreachable if none is set."""
        region = await self._in_thread(self._clients.region, "sts", "GetCallerIdentity")
        if not region:
            from botocore.exceptions import NoRegionError

            raise translate(NoRegionError(), "sts", "GetCallerIdentity")
        return region

    async def read(self, service: str, operation: str, **given: Any) -> Answer:
        """Call a reading operation, once: the same call again returns the first answer, or raises its error.

        Args:
            service: boto3's name, `service-quotas`.
            operation: AWS's name, `GetServiceQuota`.
            given: its parameters.

        Raises:
            AwsError: one of its subclasses.
        """
        answer: Answer = await self._once(service, operation, given, lambda: self.call(service, operation, **given))
        return answer

    async def pages(self, service: str, operation: str, **given: Any) -> list[Answer]:
        """Read all pages of a listing, each at the API's rate; otherwise as `read`."""
        found: list[Answer] = await self._once(
            service, operation, given, lambda: self._pages(service, operation, given)
        )
        return found

    async def call(self, service: str, operation: str, **given: Any) -> Answer:
        """Call an operation, whatever was asked before: for what changes, or changes something."""

        def work() -> Answer:
            client = self._clients.client(service)
            answer: Answer = _plain(getattr(client, _method(client, operation))(**given))
            return answer

        return await self._limited(service, operation, work)

    async def call_once(self, service: str, operation: str, **given: Any) -> Answer:
        """Call an operation with a single attempt, for what must not be asked twice; otherwise as `call`."""

        def work() -> Answer:
            client = self._clients.client(service, retries=False)
            answer: Answer = _plain(getattr(client, _method(client, operation))(**given))
            return answer

        return await self._limited(service, operation, work)

    def forget(self) -> None:
        """Forget what was read: a new run reads anew."""
        self._known.clear()
        self._down = None

    def close(self) -> None:
        """End the threads and close the connections; calls under way are waited for."""
        self._threads.shutdown()
        self._clients.close()

    async def _once(self, service: str, operation: str, given: Answer, start: Callable[[], Any]) -> Any:
        key = f"{service} {operation} {sorted(given.items())!r}"
        future = self._known.get(key)
        if future is None:
            future = self._known[key] = asyncio.ensure_future(start())
        try:
            # Shielded: a caller that gives up must not take the answer away from others who wait for it.
            return await asyncio.shield(future)
        finally:
            if future.cancelled():
                self._known.pop(key, None)

    async def _pages(self, service: str, operation: str, given: Answer) -> list[Answer]:
        def first() -> Any:
            client = self._clients.client(service)
            name = _method(client, operation)
            if not client.can_paginate(name):
                return iter([getattr(client, name)(**given)])
            return iter(client.get_paginator(name).paginate(**given))

        iterator = await self._in_thread(first, service, operation)
        found: list[Answer] = []
        while len(found) < MOST_PAGES:
            page = await self._limited(service, operation, lambda: next(iterator, None))
            if page is None:
                return found
            found.append(_plain(page))
        return found

    async def _limited(self, service: str, operation: str, work: Callable[[], T]) -> T:
        async with self._limits.of(service, operation):
            self.call_count += 1
            name = {"rpc.system": "aws-api", "rpc.service": service, "rpc.method": operation}
            with tracing.span(f"{service}/{operation}", kind=Kind.CLIENT, **name):
                return await self._in_thread(work, service, operation)

    async def _in_thread(self, work: Callable[[], T], service: str, operation: str) -> T:
        if self._down is not None:
            # Without credentials or a way there, the other calls would only wait for the same end.
            raise Unreachable(self._down.message)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (ClientError, BotoCoreError) as error:
            found = translate(error, service, operation)
            if isinstance(found, Unreachable):
                self._down = found
            raise found from error
        except AwsError:
            raise
        except (OSError, ValueError) as error:
            raise Refused(type(error).__name__, f"{service} {operation}: {error}") from error


def _method(client: Any, operation: str) -> str:
    return next(str(name) for name, own in client.meta.method_to_api_mapping.items() if own == operation)


HIDDEN = frozenset({"Environment", "StageVariables", "variables", "stageVariables", "ResponseMetadata", "Code"})
"""Members of answers that are dropped at once: environment variables and stage variables hold secrets."""


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {key: _plain(value) for key, value in answer.items() if key not in HIDDEN}
    return [_plain(item) for item in answer] if isinstance(answer, list) else answer
