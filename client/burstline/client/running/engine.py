"""An embedded server and its workers as a process of their own, begun before there is a plan.

What `run` needs to import takes longer than all else before its first request. So it begins this process first of all;
both import side by side, on two cores, and what server and workers share is imported once, before the workers are
forked. When the plan is read, an order says what to serve.
"""

import gc
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from burstline.client.running.children import START_WAIT_S, end_with_parent

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings
    from burstline.server.store.store import Store
    from burstline.v1 import resources_pb2 as v1
    from burstline.workers.waiting import WaitingWorkers


class Engine:
    """That process, as the one that begins it sees it.

    Args:
        fork: fork it, where the system can: it is there at once. Only a process that has done nothing yet may, for a
            fork has no threads, and no event loop that would answer.
    """

    def __init__(self, *, fork: bool) -> None:
        fork = fork and sys.platform == "linux"
        context: ForkContext | SpawnContext = multiprocessing.get_context("spawn")
        if fork:
            context = multiprocessing.get_context("fork")
        told, self._tells = context.Pipe(duplex=False)
        self._hears, says = context.Pipe(duplex=False)
        inherited = (self._tells, self._hears) if fork else ()
        self._process: BaseProcess = context.Process(
            target=_main, args=(told, says, inherited), name="burstline engine"
        )
        self._process.start()
        told.close()
        says.close()
        self._ordered = False

    def order(self, order: Mapping[str, Any]) -> None:
        """Say what to serve (`order_for`), unless that was said."""
        if not self._ordered:
            self._ordered = True
            try:
                self._tells.send(order)
            except OSError:
                return  # it has ended: asking for its address says so

    def address(self) -> str:
        """Return where it listens, once it was told what to serve; blocks.

        Raises:
            ClientError: it ended, said why it cannot serve, or said nothing in time.
        """
        from burstline.client.errors import ClientError

        try:
            address, problem = self._hears.recv() if self._hears.poll(START_WAIT_S) else ("", "it is not ready in time")
        except EOFError:
            address, problem = "", "the embedded server ended before it was ready"
        if problem:
            raise ClientError(problem)
        return str(address)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end."""
        self._process.join(timeout_s)

    def close(self) -> None:
        """Forget a process that has ended."""
        self._tells.close()
        self._hears.close()
        self._process.close()


def order_for(
    plan: "v1.Plan", store: str, worker_count: int, aws: "AwsSettings | None" = None, aws_wait_s: float = 0.0
) -> dict[str, Any]:
    """Return what `serve` needs to serve a plan: whoever runs one of their own allows the hosts that it names."""
    from burstline.client.running.consent import host_of, is_loopback

    pool = plan.auth.cognito  # tokens are fetched where it says
    hosts = dict.fromkeys(host_of(url) for url in (plan.target.url, pool.token_url, pool.endpoint_url) if url)
    return {
        "store": store,
        "worker_count": worker_count,
        "allow": tuple(host for host in hosts if not is_loopback(host)),
        "aws": aws,
        "aws_wait_s": aws_wait_s,
    }


def _main(told: Connection, says: Connection, inherited: Sequence[Connection]) -> None:
    """Get ready, wait for what to serve, and serve it until SIGTERM or the parent's end."""
    for connection in inherited:
        connection.close()
    os.setsid()  # Ctrl-C in the terminal is for the parent
    os.dup2(2, 1)  # standard output is the command's
    gc.disable()  # importing makes a hundred thousand objects, and drops none of them
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that NumPy would start take time, and do not fork
    _import_shared()
    from burstline.workers.waiting import WaitingWorkers

    workers = WaitingWorkers()
    import asyncio
    import logging
    from concurrent.futures import ThreadPoolExecutor

    import burstline.server.store.store  # for `_open`: two threads that import hold each other up
    from burstline.core.log_lines import set_up
    from burstline.server.errors import CannotStart
    from burstline.wire.traces import traced

    set_up(logging.WARNING, os.environ.get("BURSTLINE_LOG", ""))
    with ThreadPoolExecutor(1) as aside:
        opening = aside.submit(_open, told, workers)
        import burstline.client.running.embedded  # noqa: F401 - while that waits for the parent, then for the disk
    gc.freeze()
    gc.enable()
    try:
        order, store = opening.result()
    except EOFError:  # there will be no plan
        workers.stop()
        return
    except CannotStart as error:
        says.send(("", error.message))
        workers.stop()
        return
    end_with_parent(told.fileno())
    with traced("burstline-server"):
        asyncio.run(serve(workers, says, store, order))


def _open(told: Connection, workers: "WaitingWorkers") -> "tuple[dict[str, Any], Store]":
    """Wait for what to serve, begin its workers and open its store; raises EOFError if there is none, CannotStart."""
    from burstline.server.store.store import Store

    order: dict[str, Any] = told.recv()
    workers.begin(order["worker_count"])
    return order, Store(order["store"])


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


async def serve(workers: "WaitingWorkers", says: Connection, store: "Store", order: Mapping[str, Any]) -> None:
    """Serve until SIGTERM, see `embedded.embedded_server`; says where, or why it cannot."""
    import asyncio
    import signal

    from burstline.client.errors import ClientError
    from burstline.client.running.embedded import embedded_server

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = {name: order[name] for name in ("allow", "aws", "aws_wait_s")}
    try:
        async with embedded_server(order["store"], kept=store, **settings) as address:
            workers.attach(address)
            says.send((address, ""))
            await stop.wait()
            await asyncio.to_thread(workers.stop)  # first: to them a server that goes would be one to wait for
    except ClientError as error:
        says.send(("", str(error)))
        workers.stop()
