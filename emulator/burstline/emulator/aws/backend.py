"""What all APIs of the AWS side share: the emulator they speak for, errors, and pages."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from burstline.core.load.plan import Front
from burstline.core.quota.quotas import Account, Function
from burstline.emulator.aws.metrics import Dimensions, MetricStore
from burstline.emulator.aws.recording import Recorder
from burstline.emulator.aws.settings import AwsSideSettings
from burstline.emulator.queues import Queues
from burstline.emulator.settings import DEFAULT_STAGE, EmulatorSettings

Answer = dict[str, Any]

API_ID = "practice01"
API_NAME = "practice"
"""The one API of an emulator whose front is API Gateway's."""

BALANCER = "app/practice/0123456789abcdef"
"""The one load balancer of an emulator whose front is one."""


class ApiError(Exception):
    """An error that an AWS API answers.

    Attributes:
        status: HTTP status.
        code: AWS's error code.
        message: its text.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Backend:
    """The state that operations answer from.

    Args:
        account: what the emulator throttles by.
        emulator: its front, stage and the host it listens on.
        settings: how the AWS side behaves.
        recorder: what happened.
        queues: the emulator's.

    Attributes:
        queries: Logs Insights query id -> its rows.
        tokens: of the user pool -> when each ends, seconds since the Unix epoch.
    """

    def __init__(
        self,
        account: Account,
        emulator: EmulatorSettings,
        settings: AwsSideSettings,
        recorder: Recorder,
        queues: Queues,
    ) -> None:
        self.account = account
        self.emulator = emulator
        self.settings = settings
        self.recorder = recorder
        self.metrics = MetricStore(recorder, self._api_dimensions(), settings.lag_s, _dead_letters(account))
        self.queues = queues
        self.queries: dict[str, Answer] = {}
        self.tokens: dict[str, float] = {}
        # An account that lists no function has one all the same: the one the front calls.
        self.functions = account.functions

    @property
    def kind(self) -> str:
        """Which API Gateway is in front: `rest`, `http`, or "" for none."""
        return {Front.REST: "rest", Front.HTTP: "http"}.get(self.emulator.front, "")

    @property
    def stage(self) -> str:
        """The stage the emulator plays."""
        return self.emulator.stage or DEFAULT_STAGE

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of this account and region."""
        return f"arn:aws:{service}:{self.account.region}:{self.settings.account_id}:{resource}"

    def function(self, name: str) -> Function:
        """Return a function by its name, `name:qualifier` or ARN.

        Raises:
            ApiError: there is none.
        """
        plain = name.split(":")[6] if name.startswith("arn:") else name.split(":")[0]
        found = self.functions.get(plain)
        if found is None:
            raise ApiError(404, "ResourceNotFoundException", f"Function not found: {self.arn('lambda', plain)}")
        return found

    def page(self, items: Sequence[Any], token: Any, size: Any = None) -> tuple[list[Any], str | None]:
        """Return one page, and the token of the next one; None after the last.

        Raises:
            ApiError: the token is none of ours.
        """
        try:
            start = int(base64.b64decode(str(token)).decode()) if token else 0
        except ValueError as error:
            raise ApiError(400, "InvalidParameterValueException", "the paging token is not valid") from error
        count = min(int(size or self.settings.page_count), self.settings.page_count)
        end = start + count
        return list(items[start:end]), base64.b64encode(str(end).encode()).decode() if end < len(items) else None

    def _api_dimensions(self) -> Dimensions:
        if self.emulator.front is Front.ALB:
            return {"LoadBalancer": BALANCER}
        return {"rest": {"ApiName": API_NAME}, "http": {"ApiId": API_ID}}.get(self.kind, {})


def _dead_letters(account: Account) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, queue in account.queues.items():
        if queue.dead_letter_queue:
            found.setdefault(queue.dead_letter_queue, []).append(name)
    return found


Handler = Callable[[Backend, Answer], Answer]


def with_token(answer: Answer, name: str, token: str | None) -> Answer:
    """Return the answer with its paging token, if there is a next page."""
    return answer | ({name: token} if token else {})
