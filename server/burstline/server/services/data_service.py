"""`DataService` on the wire: uploaded files by the hash of their content."""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from burstline.server.clock import Clock, nanos
from burstline.server.control.admitting import FILE_LIMIT_BYTES
from burstline.server.errors import InvalidRequest, NotFound, StoreUnavailable, TooMuch
from burstline.server.store.store import PIECE_BYTES, Store
from burstline.v1 import run_service_pb2 as wire
from burstline.v1 import run_service_pb2_grpc
from burstline.wire.errors import Violation

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0


async def forget_old_files(store: Store, clock: Clock, kept_s: float) -> None:
    """Remove what was last uploaded longer ago than `kept_s` seconds, every hour until cancelled."""
    while True:
        try:
            count = await store.drop_files(clock.now_nanos() - nanos(kept_s))
        except StoreUnavailable as error:
            log.warning("old uploads stay for now: %s", error)
        else:
            if count:
                log.info("removed old uploads count=%d", count)
        await asyncio.sleep(LOOK_EVERY_S)


class DataService(run_service_pb2_grpc.DataServiceServicer):
    """Takes files in and hands them out."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def Upload(self, request_iterator: AsyncIterator[wire.UploadRequest], context: object) -> wire.UploadResponse:
        """Take a file: first to a temporary file, since its name is known only at its end."""
        digest, size = hashlib.sha256(), 0
        with tempfile.TemporaryFile() as spool:
            async for request in request_iterator:
                piece = request.content
                if len(piece) > PIECE_BYTES:
                    text = f"{len(piece):,} bytes: a piece has at most {PIECE_BYTES:,}"
                    raise InvalidRequest([Violation("content", text)])
                size += len(piece)
                if size > FILE_LIMIT_BYTES:
                    raise TooMuch(
                        f"the file is larger than {FILE_LIMIT_BYTES:,} bytes", limit_bytes=str(FILE_LIMIT_BYTES)
                    )
                digest.update(piece)
                await asyncio.to_thread(spool.write, piece)
            sha256 = digest.hexdigest()
            if await self._store.file_size(sha256) is None:
                await self._keep(spool, sha256, size)
            else:
                await self._store.touch_file(sha256, self._clock.now_nanos())
        return wire.UploadResponse(sha256=sha256, size_bytes=size)

    async def _keep(self, spool: IO[bytes], sha256: str, size: int) -> None:
        spool.seek(0)
        number = 0
        while piece := await asyncio.to_thread(spool.read, PIECE_BYTES):
            await self._store.put_piece(sha256, number, piece)
            number += 1
        await self._store.put_file(sha256, size, self._clock.now_nanos())

    async def Download(self, request: wire.DownloadRequest, context: object) -> AsyncIterator[wire.DownloadResponse]:
        """Yield a file in pieces."""
        if await self._store.file_size(request.sha256) is None:
            raise NotFound(
                f"no file with SHA-256 {request.sha256} was uploaded", reason="FILE_NOT_FOUND", sha256=request.sha256
            )
        number = 0
        while (piece := await self._store.piece(request.sha256, number)) is not None:
            yield wire.DownloadResponse(content=piece)
            number += 1
