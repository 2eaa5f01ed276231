"""Looking at runs and at AWS: over a server, or over the store of earlier embedded runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from burstline.client.connection import Access, Connection, connect
from burstline.client.errors import ClientError, ServerFailed
from burstline.client.paths import local_store
from burstline.client.picking import Runs

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings
    from burstline.server.store.store import Store
    from burstline.v1 import run_service_pb2 as wire


@asynccontextmanager
async def looking(access: Access | None, aws: "AwsSettings | None" = None) -> AsyncIterator[Connection]:
    """Give a connection to a server; None is an embedded one over this machine's store, and `aws` whom it asks."""
    if access is not None:
        async with connect(access) as connection:
            yield connection
        return
    from burstline.client.running.embedded import embedded_server

    async with embedded_server(local_store(), aws=aws) as address, connect(Access(address)) as connection:
        yield connection


@asynccontextmanager
async def reading(access: Access | None) -> AsyncIterator[Runs]:
    """Give the runs of a server; None is those of this machine's store, which needs no server to be read."""
    if access is not None:
        async with connect(access) as connection:
            yield connection
        return
    from burstline.client.running.abandoned import settle_abandoned
    from burstline.server.errors import CannotStart
    from burstline.server.store.store import Store

    url = local_store()
    try:
        store = await asyncio.to_thread(Store, url)
    except CannotStart as error:
        raise ClientError(error.message) from error
    try:
        await settle_abandoned(store, url)
        yield _Stored(store)
    finally:
        await asyncio.to_thread(store.close)


class _Stored:
    """A store's runs, by the names that a server gives them."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    async def list_runs(self, page_size: int, page_token: str = "") -> "wire.ListRunsResponse":
        from burstline.server.services.stored_runs import page_of_runs

        return await page_of_runs(self._store, page_size, page_token)

    async def get_report(self, name: str) -> bytes:
        from burstline.server.errors import ServerError
        from burstline.server.services.stored_runs import report_of_run, run_id

        row = await self._store.run(run_id(name))
        if row is None:
            raise ServerFailed(f"there is no {name}")
        try:
            return await report_of_run(self._store, row)
        except ServerError as error:
            raise ServerFailed(error.message) from error
