"""Connections for looking at runs: to a server, or to an embedded one over the store of earlier embedded runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from burstline.client.connection import Access, Connection, connect
from burstline.client.paths import local_store

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings


@asynccontextmanager
async def looking(access: Access | None, aws: "AwsSettings | None" = None) -> AsyncIterator[Connection]:
    """Give a connection to a server; None is the store of embedded runs on this machine, and `aws` whom it asks."""
    if access is not None:
        async with connect(access) as connection:
            yield connection
        return
    from burstline.client.running.embedded import embedded_server

    async with embedded_server(local_store(), aws=aws) as local, connect(local) as connection:
        yield connection
