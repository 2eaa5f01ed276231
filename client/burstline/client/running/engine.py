"""An embedded server and its workers as a process of their own: `python -m` this, begun before there is a plan.

What `run` needs to import takes longer than all else before its first request. So it starts this process first of all;
both import side by side, on two cores, and what server and workers share is imported once, before the workers are
forked. When the plan is read, a line on standard input says what to serve.
"""

import gc
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from burstline.client.running.children import FAILED, LISTENING, end_with_parent, line_from_parent

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings
    from burstline.workers.waiting import WaitingWorkers

YOUNG_COUNT = 50_000
"""Objects between two passes of the garbage collector: importing makes a hundred thousand, and drops none of them."""


def main() -> int:
    """Get ready, wait for what to serve, and serve it until SIGTERM or the parent's end."""
    gc.set_threshold(YOUNG_COUNT)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that NumPy would start take time, and do not fork
    _import_shared()
    from burstline.workers.waiting import WaitingWorkers

    workers = WaitingWorkers(int(sys.argv[1]))
    import asyncio
    import logging

    from burstline.core.log_lines import set_up
    from burstline.wire.traces import traced

    order = line_from_parent()
    if not order:
        workers.stop()
        return 0
    end_with_parent()
    set_up(logging.WARNING, os.environ.get("BURSTLINE_LOG", ""))
    with traced("burstline-server"):
        return asyncio.run(serve(workers, **json.loads(order)))


def _import_shared() -> None:
    """Import what the server and the workers both need; of gRPC nothing is used before the workers are forked."""
    import burstline.core.load.schedule
    import burstline.core.load.window
    import burstline.core.quota.answers.classify
    import burstline.v1.run_service_pb2_grpc
    import burstline.v1.worker_service_pb2_grpc
    import burstline.wire.plan
    import burstline.wire.window  # noqa: F401


def aws_order(aws: "AwsSettings | None") -> dict[str, Any] | None:
    """Return AWS settings as `serve` takes them."""
    import dataclasses

    return None if aws is None else dataclasses.asdict(aws)


async def serve(
    workers: "WaitingWorkers", store: str, allow: list[str], aws: dict[str, Any] | None, aws_wait_s: float
) -> int:
    """Serve until SIGTERM, see `embedded.embedded_server`; says on standard output where, or why it cannot."""
    import asyncio
    import signal

    from burstline.client.errors import ClientError
    from burstline.client.running.embedded import embedded_server
    from burstline.server.aws.settings import Asking, AwsSettings

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    asked = None if aws is None else AwsSettings(**{**aws, "asking": Asking(aws["asking"])})
    try:
        async with embedded_server(store, allow=tuple(allow), aws=asked, aws_wait_s=aws_wait_s) as access:
            workers.attach(access.server)
            _say(f"{LISTENING}{access.server}")
            await stop.wait()
            await asyncio.to_thread(workers.stop)  # first: to them a server that goes would be one to wait for
    except ClientError as error:
        _say(f"{FAILED}{json.dumps(str(error))}")
        workers.stop()
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
