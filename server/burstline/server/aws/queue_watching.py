"""Queues while a run is under way: their own counts, every few seconds, for CloudWatch has whole minutes only."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from burstline.core.quota.aws.backlog import BacklogPoint
from burstline.core.quota.quotas import Queue
from burstline.server.aws.calling import Aws
from burstline.server.aws.errors import AwsError

POLL_S = 10.0
"""Between two looks, seconds. SQS states no limit for this call, but each is paid as a request."""

_COUNTS = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]


class QueueWatch:
    """Looks at queues and keeps what it saw. A look that fails is left out.

    Args:
        aws: whom to ask.
        queues: by name.
        now_s: seconds since the Unix epoch.

    Attributes:
        points: by queue, in order.
    """

    def __init__(self, aws: Aws, queues: Mapping[str, Queue], now_s: Callable[[], float] = time.time) -> None:
        self._aws, self._queues, self._now_s = aws, queues, now_s
        self.points: dict[str, list[BacklogPoint]] = {name: [] for name in queues}

    async def look(self) -> None:
        """Look once at each queue."""
        for name, queue in self._queues.items():
            try:
                waiting, in_flight = await self._counts(name)
            except AwsError:
                continue
            dead = await self._dead(queue.dead_letter_queue)
            self.points[name].append(BacklogPoint(self._now_s(), waiting, in_flight, dead))

    async def keep(self, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Look again and again until cancelled."""
        while self._queues:
            await sleep(POLL_S)
            await self.look()

    async def _dead(self, name: str) -> int | None:
        try:
            return (await self._counts(name))[0] if name else None
        except AwsError:
            return None

    async def _counts(self, name: str) -> tuple[int, int]:
        url = (await self._aws.read("sqs", "GetQueueUrl", QueueName=name))["QueueUrl"]
        answer = await self._aws.call("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=_COUNTS)
        found = answer.get("Attributes", {})
        return int(found.get(_COUNTS[0], 0)), int(found.get(_COUNTS[1], 0))
