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
    from burstline.v1 import resources_pb2 as v1
    from burstline.workers.waiting import WaitingWorkers


def main() -> int:
    """Get ready, wait for what to serve, and serve it until SIGTERM or the parent's end."""
    gc.disable()  # importing makes a hundred thousand objects, and drops none of them
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that NumPy would start take time, and do not fork
    _import_shared()
    from burstline.workers.waiting import WaitingWorkers

    workers = WaitingWorkers(int(sys.argv[1]))
    import asyncio
    import logging

    import burstline.client.running.embedded  # noqa: F401 - while the parent reads the plan
    from burstline.core.log_lines import set_up
    from burstline.wire.traces import traced

    gc.freeze()
    gc.enable()
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
    import importlib.metadata  # noqa: F401 - both tell their version

    import burstline.core.load.schedule
    import burstline.core.load.window
    import burstline.core.quota.answers.classify
    import burstline.v1.run_service_pb2_grpc
    import burstline.v1.worker_service_pb2_grpc
    import burstline.wire.plan
    import burstline.wire.window  # noqa: F401


def order_for(plan: "v1.Plan", store: str, aws: "AwsSettings | None" = None, aws_wait_s: float = 0.0) -> dict[str, Any]:
    """Return what `serve` needs to serve a plan: whoever runs one of their own allows the hosts that it names."""
    import dataclasses

    from burstline.client.running.consent import host_of, is_loopback

    pool = plan.auth.cognito  # tokens are fetched where it says
    hosts = dict.fromkeys(host_of(url) for url in (plan.target.url, pool.token_url, pool.endpoint_url) if url)
    return {
        "store": store,
        "allow": [host for host in hosts if not is_loopback(host)],
        "aws": None if aws is None else dataclasses.asdict(aws),
        "aws_wait_s": aws_wait_s,
    }


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
