"""The HTTP side: /metrics for Prometheus, /healthz, the runs with their reports as JSON, and the web pages."""

import contextlib
import ssl
import time
from collections.abc import AsyncIterator

from aiohttp import web

from burstline.server.certificates import page_context
from burstline.server.clock import Clock, seconds
from burstline.server.control.roster import Roster
from burstline.server.control.runs import Runs
from burstline.server.errors import CannotStart, ServerError
from burstline.server.metrics import CONTENT_TYPE, RunCollector, exposition
from burstline.server.settings import ServerSettings
from burstline.server.store.store import Store
from burstline.server.web.entry import Sessions, token_check, wants_html
from burstline.server.web.webpages import WebPages

INDEX_RUNS = 50
SHUTDOWN_S = 2.0
"""How long requests under way may take when the server ends."""


class Pages:
    """Handlers of the HTTP side."""

    def __init__(self, runs: Runs, store: Store, collector: RunCollector, web_pages: WebPages) -> None:
        self._runs, self._store, self._collector, self._web_pages = runs, store, collector, web_pages

    async def metrics(self, request: web.Request) -> web.Response:
        """Everything in Prometheus's text format."""
        for run in list(self._runs.active.values()):
            if run.ended.is_set() and run.id not in self._collector.reports:
                document = await self._store.report(run.id)
                self._collector.keep_report(run.id, document or b"{}")
        for run_id in [run_id for run_id in self._collector.reports if run_id not in self._runs.active]:
            del self._collector.reports[run_id]
        return web.Response(body=exposition(self._collector), headers={"Content-Type": CONTENT_TYPE})

    async def health(self, request: web.Request) -> web.Response:
        """200 when the store can be read."""
        try:
            await self._store.runs(1)
        except ServerError as error:
            return web.Response(text=error.message + "\n", status=503)
        return web.Response(text="ok\n")

    async def index(self, request: web.Request) -> web.Response:
        """The newest runs, with links; as a page for browsers."""
        if wants_html(request):
            return await self._web_pages.index(request)
        rows = await self._store.runs(INDEX_RUNS)
        runs = [
            {
                "name": f"runs/{row.id}",
                "plan": row.name,
                "state": row.state.value,
                "verdict": row.verdict or None,
                "created_at_s": seconds(row.create_nanos),
                "report": f"/runs/{row.id}/report.json" if row.state.final else None,
            }
            for row in rows
        ]
        return web.json_response({"metrics": "/metrics", "health": "/healthz", "runs": runs})

    async def report(self, request: web.Request) -> web.Response:
        """A run's report."""
        document = await self._store.report(request.match_info["run"])
        if document is None:
            return web.json_response({"error": "there is no report of this run"}, status=404)
        return web.Response(body=document, content_type="application/json")


@contextlib.asynccontextmanager
async def serve_http(
    listen: str, runs: Runs, store: Store, roster: Roster, clock: Clock, settings: ServerSettings
) -> AsyncIterator[str]:
    """Serve inside an `async with` block, and yield host:port as it was really taken ("" if `listen` is "").

    With `settings.tls` it speaks https alone.

    Raises:
        CannotStart: the port cannot be taken, or a TLS file cannot be used.
    """
    if not listen:
        yield ""
        return
    sessions = Sessions(time.monotonic)
    web_pages = WebPages(runs, store, roster, clock, settings, sessions)
    collector = RunCollector(lambda: list(runs.active.values()), roster, clock, settings.series_kept_s)
    pages = Pages(runs, store, collector, web_pages)
    app = web.Application(middlewares=[token_check(settings.tokens, sessions)])
    app.on_shutdown.append(web_pages.close)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/healthz", pages.health)
    app.router.add_get("/", pages.index)
    app.router.add_get("/runs/{run}/report.json", pages.report)
    web_pages.add_to(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        yield await _listen(runner, listen, page_context(settings.tls) if settings.tls else None)
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, listen: str, context: ssl.SSLContext | None) -> str:
    host, _, port = listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]"), int(port), reuse_port=False, ssl_context=context)
        await site.start()
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"{listen} cannot be listened on: {error}; give --http another HOST:PORT", listen=listen
        ) from error
    real = runner.addresses[0][1]
    return f"{host}:{real}"
