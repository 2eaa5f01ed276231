"""The AWS side as an HTTP server in the emulator's own loop: what boto3's `endpoint_url` is given."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from burstline.core.quota.aws.iam import action_of
from burstline.core.quota.quotas import Account, Function
from burstline.emulator.aws import gateway_api, identity_api, lambda_api, pool_api, queue_api, quota_api, watch_api
from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler
from burstline.emulator.aws.recording import Recorder
from burstline.emulator.aws.routing import Asked, find, xml_of
from burstline.emulator.aws.settings import AwsSideSettings, check
from burstline.emulator.routing import ONLY_FUNCTION
from burstline.emulator.running import RunningEmulator
from burstline.emulator.settings import EmulatorSettings

MOST_BODY_BYTES = 2 * 1024 * 1024
TOKEN_PATH = "/oauth2/token"
"""The user pool's token endpoint, which speaks OAuth in place of AWS's protocols."""


class RunningAwsSide:
    """An AWS side that listens. Made by `start_aws_side`.

    Attributes:
        backend: what it answers from.
        calls: calls by `service operation`, refused ones among them.
        port: where it listens.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.calls: Counter[str] = Counter()
        self.port = backend.settings.port
        self._handlers: dict[str, dict[str, Handler]] = {
            "service-quotas": quota_api.handlers(),
            "lambda": lambda_api.HANDLERS,
            "apigateway": gateway_api.REST_HANDLERS,
            "apigatewayv2": gateway_api.HTTP_HANDLERS,
            "cloudwatch": watch_api.METRIC_HANDLERS,
            "logs": watch_api.LOG_HANDLERS,
            "sqs": queue_api.HANDLERS,
            "sts": identity_api.IDENTITY_HANDLERS,
            "cognito-idp": pool_api.HANDLERS,
        }
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What boto3's `endpoint_url` is given."""
        host = self.backend.settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def listen(self) -> None:
        """Accept connections from now on; raises OSError if the address is taken or not ours."""
        app = web.Application(client_max_size=MOST_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.backend.settings.host, self.backend.settings.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close it. Safe to call twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        protocol = "json"
        if request.path == TOKEN_PATH:
            status, answer = pool_api.client_token(self.backend, request.headers.get("Authorization", ""), body)
            return web.Response(status=status, body=json.dumps(answer).encode(), content_type="application/json")
        try:
            target = request.headers.get("X-Amz-Target", "")
            asked = find(request.method, request.url.raw_path, request.query_string, target, body)
            protocol = asked.protocol
            return _answer(asked, self.answer(asked))
        except ApiError as error:
            return _error(error, protocol)
        except (KeyError, ValueError, TypeError) as error:
            # botocore checks parameters before it sends: whoever comes here sent something else.
            return _error(ApiError(400, "ValidationException", f"a parameter is missing or wrong: {error}"), protocol)

    def answer(self, asked: Asked) -> Answer:
        """Return the answer to a call.

        Raises:
            ApiError: what AWS would refuse, or an operation that is not served.
        """
        settings, name = self.backend.settings, f"{asked.service} {asked.operation}"
        self.calls[name] += 1
        handler = self._handlers[asked.service].get(asked.operation)
        if handler is None:
            raise ApiError(400, "UnknownOperationException", f"{name} is not served by this emulator.")
        if self.calls[name] <= settings.throttled_calls:
            raise ApiError(429, "TooManyRequestsException", "Rate exceeded")
        action = action_of(asked.service, asked.operation)
        if action in settings.denied:
            user = f"arn:aws:iam::{settings.account_id}:user/practice"
            raise ApiError(403, "AccessDeniedException", f"User: {user} is not authorized to perform: {action}")
        return handler(self.backend, asked.given)


async def start_aws_side(
    emulator: RunningEmulator, account: Account, front: EmulatorSettings, settings: AwsSideSettings | None = None
) -> RunningAwsSide:
    """Start the AWS side of a running emulator, in its loop; from now on what it does is recorded.

    Args:
        emulator: which speaks for itself from now on.
        account: the account it was started with.
        front: the settings it was started with.
        settings: how the AWS side behaves; None is the default.

    Raises:
        ValueError: `settings` are out of range; names every mistake.
        OSError: it cannot listen there.
    """
    settings = settings or AwsSideSettings()
    check(settings)
    if not account.functions:
        account = _with_only_function(account)
    recorder = Recorder(account)
    running = RunningAwsSide(Backend(account, front, settings, recorder, emulator.queues))
    await running.listen()
    emulator.desk.observer = recorder
    emulator.queues.watch(recorder.queue)
    return running


def _with_only_function(account: Account) -> Account:
    return replace(account, functions={ONLY_FUNCTION: Function(ONLY_FUNCTION)})


def _answer(asked: Asked, answer: Answer) -> web.Response:
    headers = {"x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
    if asked.protocol == "query":
        text = xml_of(asked.operation, _with_times(answer))
        return web.Response(text=text, content_type="text/xml", headers=headers)
    kind = "application/x-amz-json-1.1" if asked.protocol == "json" else "application/json"
    return web.Response(body=json.dumps(answer).encode(), content_type=kind, headers=headers)


def _with_times(answer: Answer) -> Answer:
    """Return an answer with its expiration as the query protocol writes times."""
    credentials: Any = answer.get("Credentials")
    if credentials is None:
        return answer
    at = datetime.fromtimestamp(credentials["Expiration"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return answer | {"Credentials": credentials | {"Expiration": at}}


def _error(error: ApiError, protocol: str) -> web.Response:
    headers = {"x-amzn-ErrorType": error.code}
    if protocol == "query":
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code><Message>{error.message}</Message>"
            "</Error></ErrorResponse>"
        )
        return web.Response(status=error.status, text=text, content_type="text/xml")
    body = {"__type": error.code, "message": error.message, "Message": error.message}
    return web.Response(status=error.status, body=json.dumps(body).encode(), headers=headers)
