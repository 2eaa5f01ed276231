"""What of a plan fails on this worker while it runs: told to the recorder, and so to whoever watches."""

import asyncio
import logging
from collections.abc import Callable

from burstline.core.load.troubles import LONGEST, TroubleKey, TroubleKind
from burstline.workers.errors import CannotPrepare
from burstline.workers.recording.recording import Recorder
from burstline.workers.requests.authorizing import Authorizer
from burstline.workers.requests.secrets import hidden, secrets_of
from burstline.workers.requests.templating import CannotFill
from burstline.workers.segments.preparing import Toolkit

_log = logging.getLogger(__name__)


def tell_unfilled(
    recorder: Recorder, toolkit: Toolkit, error: CannotFill, request: int, number: int, row: int, known_s: float
) -> None:
    """Record that a request cannot be made.

    Args:
        recorder: takes it.
        toolkit: of the plan; what of it is secret is not shown.
        error: what its template said.
        request: index in the plan.
        number: of the arrival.
        row: of the data file, from 0.
        known_s: run time, seconds.
    """

    def example() -> str:
        detail = hidden(error.detail, secrets_of(plan, b""))
        text = f"{detail[:120] or 'no more is known'}, at arrival {number:,}"
        told = toolkit.run_id, plan.requests[request].name, place, error.reason
        _log.info("a request cannot be made run=%s request=%s place=%s reason=%s", *told)
        return f"{text} with row {row + 1:,} of the data" if toolkit.rows else text

    plan, place = toolkit.plan, error.field[:LONGEST]
    recorder.trouble(TroubleKey(TroubleKind.TEMPLATE, request, place, error.reason), known_s, example)


async def keep_authorized(
    authorizer: Authorizer, toolkit: Toolkit, recorder: Recorder, now_s: Callable[[], float]
) -> None:
    """Renew what authorizes requests, until cancelled. If that fails, what there is stays in use, and it is told.

    Args:
        authorizer: of the plan's requests.
        toolkit: says what kind of authorization it is, and for which run.
        recorder: takes failures.
        now_s: run time, seconds.
    """
    place = f"auth.{toolkit.plan.auth.kind.value}"
    while True:
        await asyncio.sleep(authorizer.refresh_in_s())
        try:
            await asyncio.to_thread(authorizer.refresh)
        except CannotPrepare as error:
            _log.info("the authorization could not be renewed run=%s: %s", toolkit.run_id, error)
            reason = str(error).removeprefix(f"{place}: ")[:LONGEST]
            key = TroubleKey(TroubleKind.AUTHORIZATION, -1, place, reason)
            recorder.trouble(key, now_s(), lambda: _what_there_is(authorizer, now_s()))


def _what_there_is(authorizer: Authorizer, now_s: float) -> str:
    left_s = authorizer.ends_in_s()
    if left_s is None:
        return "the credentials there are"
    return f"the old token, which {'ends' if left_s > 0 else 'ended'} at {now_s + left_s:,.1f} s"
