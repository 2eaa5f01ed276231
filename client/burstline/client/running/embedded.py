"""A server inside this process with worker processes beside it, for the length of one run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from burstline.client.errors import ClientError
from burstline.client.running.abandoned import settle_abandoned
from burstline.server.app import running
from burstline.server.aws.settings import AwsSettings
from burstline.server.errors import CannotStart
from burstline.server.settings import ServerSettings
from burstline.server.store.store import Store

START_DELAY_S = 0.1
"""From `Start` to T0, seconds: all workers are ready by then, on this machine, and share its clock."""


@asynccontextmanager
async def embedded_server(
    store: str,
    *,
    allow: tuple[str, ...] = (),
    http: str = "",
    aws: AwsSettings | None = None,
    aws_wait_s: float = 0.0,
    kept: Store | None = None,
) -> AsyncIterator[str]:
    """Run a server on a free port of this machine for the length of the block; gives its host:port.

    Args:
        store: SQLAlchemy URL.
        allow: hosts that plans may target besides loopback.
        http: host:port of its HTTP pages; "" leaves them out.
        aws: whether and as whom AWS is asked; None is as boto3 finds it.
        aws_wait_s: how long a run waits for CloudWatch, seconds.
        kept: the store, if it is open already; closed at the end.

    Raises:
        ClientError: it cannot start; says why and what to do.
    """
    settings = ServerSettings(
        listen="127.0.0.1:0",
        http=http,
        store=store,
        allow=allow,
        start_delay_s=START_DELAY_S,
        aws=aws or AwsSettings(),
        aws_wait_s=aws_wait_s,
    )
    async with contextlib.AsyncExitStack() as stack:
        try:
            opened = kept if kept is not None else await asyncio.to_thread(Store, store)
            stack.push_async_callback(asyncio.to_thread, opened.close)
            await settle_abandoned(opened, store)
            server = await stack.enter_async_context(running(settings, store=opened))
        except CannotStart as error:
            raise ClientError(error.message) from error
        yield server.grpc_address
