"""The control plane in a browser: runs, a run live, its report, quotas, workers; and the one order, to stop a run."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from burstline.server.access import check
from burstline.server.clock import Clock, seconds
from burstline.server.control.roster import Roster
from burstline.server.control.runs import Runs
from burstline.server.errors import NotFound, ServerError
from burstline.server.pages.rendering import render, text_of
from burstline.server.settings import ServerSettings
from burstline.server.store.rows import RunRow
from burstline.server.store.store import Store
from burstline.server.web import entry
from burstline.server.web.entry import Sessions
from burstline.server.web.watching import moment_of

RUNS_SHOWN = 50
REPORTS_READ = 20
"""Newest reports that the quotas page looks at."""

PAGES_KEPT = 6
"""Rendered reports in memory, about 1.4 MB each."""

NO_REPORT = "There is no report of this run: it is there when the run has ended."

ATTEMPT_S = 0.5
"""A wrong token costs so much time."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class WebPages:
    """Handlers of the pages."""

    def __init__(
        self, runs: Runs, store: Store, roster: Roster, clock: Clock, settings: ServerSettings, sessions: Sessions
    ) -> None:
        self._runs, self._store, self._roster = runs, store, roster
        self._clock, self._settings, self._sessions = clock, settings, sessions
        self._closing = asyncio.Event()
        self._rendering = asyncio.Lock()
        self._reports: OrderedDict[str, str] = OrderedDict()
        self._findings: dict[str, list[dict[str, Any]]] = {}

    def add_to(self, app: web.Application) -> None:
        """Register every page but `/`, which scripts use too."""
        app.router.add_get("/runs/{run}", self.run)
        app.router.add_get("/runs/{run}/events", self.events)
        app.router.add_get("/runs/{run}/report", self.report)
        app.router.add_post("/runs/{run}/stop", self.stop)
        app.router.add_get("/quotas", self.quotas)
        app.router.add_get("/workers", self.workers)
        app.router.add_get("/login", self.sign_in)
        app.router.add_post("/login", self.sign_in_with)
        app.router.add_post("/logout", self.sign_out)

    async def close(self, app: web.Application) -> None:
        """End the live streams, so that the server can end."""
        self._closing.set()

    # -- pages ---------------------------------------------------------------------------------------------------

    async def index(self, request: web.Request) -> web.Response:
        """The newest runs."""
        rows = await self._store.runs(RUNS_SHOWN)
        shown = [self._row(self._runs.active[row.id].row if row.id in self._runs.active else row) for row in rows]
        return self._page(request, "runs.html", here="/", runs=shown)

    async def run(self, request: web.Request) -> web.Response:
        """One run: live until it has ended, then its verdict."""
        run_id = request.match_info["run"]
        try:
            row = await self._runs.row(run_id)
        except NotFound as error:
            return self._problem(request, error.message, 404)
        active = self._runs.active.get(run_id)
        live = active is not None and not row.state.final
        document = await self._store.report(run_id) if row.state.final else None
        return self._page(
            request,
            "run.html",
            scripts=[text_of("live.js")] if live else [],
            connects=live,
            here="",
            run=self._row(row),
            moment=moment_of(active, self._clock.now_nanos()) if live and active is not None else None,
            summary=json.loads(document).get("summary", "") if document is not None else row.reason,
            has_report=document is not None,
            may_stop=live and self._may_stop(request),
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """A run's moments as server-sent events, until it has ended."""
        run = self._runs.active.get(request.match_info["run"])
        if run is None:
            return web.json_response({"error": "this run is not under way"}, status=404)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        while not self._closing.is_set():
            moment = moment_of(run, self._clock.now_nanos())
            try:
                await response.write(f"data: {json.dumps(moment, separators=(',', ':'))}\n\n".encode())
            except ConnectionResetError:  # the reader left
                break
            if moment["final"]:
                break
            try:
                async with asyncio.timeout(self._settings.watch_every_s):
                    await self._closing.wait()
            except TimeoutError:
                continue
        return response

    async def report(self, request: web.Request) -> web.Response:
        """A run's report."""
        run_id = request.match_info["run"]
        html = self._reports.get(run_id)
        if html is None:
            document = await self._store.report(run_id)
            if document is None:
                return self._problem(request, NO_REPORT, 404)
            async with self._rendering:  # one at a time: it takes most of a core for a moment
                html = await asyncio.to_thread(_render_report, document, f"/runs/{run_id}")
            self._reports[run_id] = html
            if len(self._reports) > PAGES_KEPT:
                self._reports.popitem(last=False)
        response = web.Response(text=html, content_type="text/html", headers=HEADERS)
        response.enable_compression()
        return response

    async def quotas(self, request: web.Request) -> web.Response:
        """Each quota as the newest run in its way found it."""
        from burstline.server.pages.sections import quotas_of

        ended = [row for row in await self._store.runs(RUNS_SHOWN) if row.state.final][:REPORTS_READ]
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for row in ended:
            if row.id not in self._findings:
                document = await self._store.report(row.id)
                report = json.loads(document) if document is not None else {}
                place = report.get("run", {}).get("region") or report.get("run", {}).get("target", "")
                shown = quotas_of(report) if report.get("findings") else []
                self._findings[row.id] = [one | {"place": place} for one in shown]
            for one in self._findings[row.id]:
                found.setdefault((one["place"], one["quota"]), one | {"run": row.id, "run_name": row.name})
        kept = {row.id for row in ended}
        self._findings = {run: findings for run, findings in self._findings.items() if run in kept}
        shown = sorted(found.values(), key=lambda one: -(one["ratio"] or 0.0))
        return self._page(request, "quotas.html", here="/quotas", quotas=shown, reports=len(ended))

    async def workers(self, request: web.Request) -> web.Response:
        """The workers, and what they hold."""
        now = self._clock.now_nanos()
        shown = []
        for worker in sorted(self._roster, key=lambda one: (one.identity.hostname, one.identity.pid)):
            who = worker.identity
            state = "away" if worker.link is None else "leaving" if worker.leaving else "attached"
            held = [
                (run.id, run.row.name, epoch.row.segment)
                for run in self._runs.active.values()
                for epoch in run.epochs()
                if epoch.living and epoch.row.worker_id == who.worker_id and not run.row.state.final
            ]
            heard_s = max(0.0, seconds(now - worker.heard_nanos))
            shown.append({"who": who, "state": state, "held": held, "heard_s": heard_s, "clock": worker.clock_error_s})
        return self._page(request, "workers.html", here="/workers", workers=shown)

    # -- orders --------------------------------------------------------------------------------------------------

    async def stop(self, request: web.Request) -> web.Response:
        """Stop a run: needs the role of a runner."""
        authorization = entry.authorization_of(request, self._sessions)
        refusal = entry.order_refusal(request, self._settings.tokens)
        refusal = refusal or check(entry.STOP_METHOD, authorization, self._settings.tokens)
        if refusal is not None:
            return self._problem(request, refusal.message, 403)
        run_id = request.match_info["run"]
        try:
            await self._runs.stop(run_id)
        except ServerError as error:
            return self._problem(request, error.message, 404 if isinstance(error, NotFound) else 503)
        raise web.HTTPSeeOther(f"/runs/{run_id}")

    async def sign_in(self, request: web.Request) -> web.Response:
        """The page that asks for a token."""
        there = entry.own_path(request.query.get("next", "/"))
        return self._page(request, "login.html", here="", problem="", next=there)

    async def sign_in_with(self, request: web.Request) -> web.Response:
        """Begin a session with a token."""
        refusal = entry.order_refusal(request, self._settings.tokens)
        form = await request.post()
        authorization = f"Bearer {form.get('token', '')}"
        there = entry.own_path(str(form.get("next", "/")))
        refusal = refusal or check("/burstline.http/", authorization, self._settings.tokens)
        if refusal is not None:
            await asyncio.sleep(ATTEMPT_S)
            return self._page(request, "login.html", 403, here="", problem=refusal.message, next=there)
        response = web.HTTPSeeOther(there)
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        key = self._sessions.begin(authorization)
        response.set_cookie(
            entry.COOKIE, key, max_age=int(entry.SESSION_S), httponly=True, samesite="Strict", secure=secure
        )
        raise response

    async def sign_out(self, request: web.Request) -> web.Response:
        """End the session."""
        if (refusal := entry.order_refusal(request, self._settings.tokens)) is not None:
            return self._problem(request, refusal.message, 403)
        self._sessions.end(request.cookies.get(entry.COOKIE, ""))
        response = web.HTTPSeeOther("/login" if self._settings.tokens else "/")
        response.del_cookie(entry.COOKIE)
        raise response

    # -- parts ---------------------------------------------------------------------------------------------------

    def _may_stop(self, request: web.Request) -> bool:
        authorization = entry.authorization_of(request, self._sessions)
        return check(entry.STOP_METHOD, authorization, self._settings.tokens) is None

    def _row(self, row: RunRow) -> dict[str, Any]:
        """A run as its row in the list."""
        return {
            "id": row.id,
            "name": row.name,
            "state": row.state.value.lower(),
            "final": row.state.final,
            "verdict": row.verdict,
            "reason": row.reason,
            "created": datetime.fromtimestamp(seconds(row.create_nanos), UTC),
            "workers": row.worker_count,
        }

    def _problem(self, request: web.Request, text: str, status: int) -> web.Response:
        if not entry.wants_html(request):
            return web.json_response({"error": text}, status=status)
        return self._page(request, "problem.html", status, here="", problem=text)

    def _page(
        self,
        request: web.Request,
        template: str,
        status: int = 200,
        *,
        scripts: Sequence[str] = (),
        connects: bool = True,
        **values: Any,
    ) -> web.Response:
        signed_in = bool(self._sessions.authorization(request.cookies.get(entry.COOKIE, "")))
        html = render(template, scripts=scripts, connects=connects, signed_in=signed_in, **values)
        return web.Response(text=html, status=status, content_type="text/html", headers=HEADERS)


def _render_report(document: bytes, back: str) -> str:
    # here, because only whoever looks at a report needs the charts' library
    from burstline.server.pages.report import report_html

    return report_html(json.loads(document), back=back)
