"""What the user asks for: a plan, as plain records. Range checks live in `burstline.wire.plan`, not here."""

from dataclasses import dataclass, field
from enum import StrEnum


class Front(StrEnum):
    """The kind of entry point a target is, which fixes how its answers read."""

    REST = "rest"
    HTTP = "http"
    FUNCTION_URL = "function_url"
    ALB = "alb"
    LAMBDA = "lambda"
    SQS = "sqs"
    PLAIN = "plain"


class Arrivals(StrEnum):
    """How arrivals are placed along a phase's rate: evenly, or as a Poisson process."""

    EVEN = "even"
    POISSON = "poisson"


@dataclass(frozen=True, slots=True)
class Constant:
    """`rate_per_s` requests per second, > 0."""

    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Ramp:
    """A straight line from `from_per_s` to `to_per_s`, requests per second, each >= 0, not both 0."""

    from_per_s: float
    to_per_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """A staircase of `steps` (>= 2) equal treads, the first at `from_per_s`, the last at `to_per_s`."""

    from_per_s: float
    to_per_s: float
    steps: int


@dataclass(frozen=True, slots=True)
class Pause:
    """No arrivals."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """`size` requests spread evenly over `width_s`, every `every_s`, on top of `base_per_s`.

    Attributes:
        size: requests in one burst, >= 1.
        every_s: from one burst's start to the next, seconds, > 0.
        width_s: seconds, 0 <= width_s <= every_s; 0 means all at one instant.
        base_per_s: steady rate below the bursts, requests/s, >= 0.
    """

    size: int
    every_s: float
    width_s: float
    base_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sine:
    """A wave: `mean_per_s + amplitude_per_s * sin(2 pi t / period_s)`; amplitude in 0..mean, period > 0 s."""

    mean_per_s: float
    amplitude_per_s: float
    period_s: float


@dataclass(frozen=True, slots=True)
class Users:
    """A closed model: `users` (>= 1) each send, wait for the answer, think `think_s` (>= 0), and send again."""

    users: int
    think_s: float


Shape = Constant | Ramp | Step | Pause | Bursts | Sine | Users


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load.

    Attributes:
        name: unique in the plan.
        duration_s: seconds, > 0.
        shape: what happens in it.
        arrivals: even or Poisson; ignored by `Pause` and `Users`.
    """

    name: str
    duration_s: float
    shape: Shape
    arrivals: Arrivals = Arrivals.EVEN


@dataclass(frozen=True, slots=True)
class StatusRange:
    """HTTP statuses `low`..`high`, inclusive, each 100..599."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Expect:
    """What makes a response `ok`: its status in one of `statuses`, and `body_contains` in its body (if set)."""

    statuses: tuple[StatusRange, ...] = (StatusRange(200, 399),)
    body_contains: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request; strings may hold `{{ name }}` templates (data columns, `run.id`, `n`, `uuid`).

    Attributes:
        name: unique in the plan.
        weight: relative share of arrivals, > 0.
        method: GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE.
        path: appended to the target's URL, starts with "/" (or empty).
        query: appended to the path, name and value.
        headers: name and value.
        body: text sent as it is; at most one of `body`, `json`, `body_sha256` is set.
        json: a JSON document as text, whose string values may hold templates.
        body_sha256: an uploaded file sent as it is.
        expect: what makes the response `ok`.
        timeout_s: from due to the last byte, seconds, > 0.
        message_count: front `sqs`: messages in one call, 1..10.
    """

    name: str
    weight: float = 1.0
    method: str = "GET"
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    json: str = ""
    body_sha256: str = ""
    expect: Expect = field(default_factory=Expect)
    timeout_s: float = 30.0
    message_count: int = 1


class AuthKind(StrEnum):
    """How requests are authenticated."""

    NONE = "none"
    API_KEY = "api_key"
    BEARER = "bearer"
    BASIC = "basic"
    SIGV4 = "sigv4"
    COGNITO = "cognito"


@dataclass(frozen=True, slots=True)
class Cognito:
    """How tokens of an Amazon Cognito user pool are asked for.

    Attributes:
        client_id: of the app client.
        client_secret: a reference; "" where the app client has none.
        username: password flow (InitiateAuth, USER_PASSWORD_AUTH): may be a reference.
        password: a reference.
        region: of the user pool; "" where `token_url` or `endpoint_url` stands in for it.
        access: password flow: send the access token in place of the identity token.
        token_url: client-credentials flow: the token endpoint; "" is the password flow.
        scopes: client-credentials flow: to ask for; empty is all.
        endpoint_url: where InitiateAuth is called in place of AWS's own host; "" is AWS's.
    """

    client_id: str
    client_secret: str = ""
    username: str = ""
    password: str = ""
    region: str = ""
    access: bool = False
    token_url: str = ""
    scopes: tuple[str, ...] = ()
    endpoint_url: str = ""


@dataclass(frozen=True, slots=True)
class Auth:
    """Credentials, as references only: each value may be `${env:NAME}`, resolved on the worker, never stored.

    Attributes:
        kind: which of the fields below apply.
        value: the key (`api_key`) or token (`bearer`).
        username: for `basic`.
        password: for `basic`.
        region: for `sigv4`.
        service: for `sigv4`: `execute-api`, `lambda` or another service's signing name.
        cognito: for `cognito`, else None.
    """

    kind: AuthKind = AuthKind.NONE
    value: str = ""
    username: str = ""
    password: str = ""
    region: str = ""
    service: str = ""
    cognito: Cognito | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go.

    Attributes:
        url: http or https, with host; the path is a prefix of every request's. For front `sqs` the queue's own URL.
        front: the kind of entry point.
        function: the Lambda function behind it; "" is unknown.
        stage: the API Gateway stage; "" is unknown.
        usage_plan: the usage plan our key belongs to; "" is none.
        function_of: request name -> function, where requests go to different ones.
        qualifier: alias or version that front `lambda` invokes; "" is $LATEST.
    """

    url: str
    front: Front = Front.PLAIN
    function: str = ""
    stage: str = ""
    usage_plan: str = ""
    function_of: tuple[tuple[str, str], ...] = ()
    qualifier: str = ""

    @property
    def queue(self) -> str:
        """Name of the queue of front `sqs`, the last part of its URL; "" for other fronts."""
        return self.url.rpartition("/")[2] if self.front is Front.SQS else ""


class DataOrder(StrEnum):
    """Which data row an arrival gets: a hash of (seed, n), or n modulo the rows."""

    RANDOM = "random"
    SEQUENTIAL = "sequential"


class DataFormat(StrEnum):
    """How an uploaded data file is read."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class DataFile:
    """Rows for templates: an uploaded file, by the SHA-256 (hex) of its bytes.

    Attributes:
        columns: names that templates may use, in the file's order (CSV header, or keys of the first row).
    """

    sha256: str
    format: DataFormat
    order: DataOrder
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the launch needs: the whole plan scaled so that its highest 1 s rate is `rate_per_s` (> 0)."""

    rate_per_s: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Our own limits, never AWS's, over all workers together; None is no limit, every number is > 0."""

    rate_per_s: float | None = None
    in_flight: int | None = None
    request_count: int | None = None
    duration_s: float | None = None
    cost_usd: float | None = None


class Warm(StrEnum):
    """How many connections open before T0 and each burst: what the schedule needs, or none."""

    AUTO = "auto"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Connections:
    """Connection policy.

    Attributes:
        warm: `auto` opens what Little's law and the burst size need; `none` opens on demand.
        warm_count: if > 0, exactly so many over all workers, whatever `warm` says.
        keep_alive_s: an idle connection is closed after this, seconds, > 0.
        ip: `any`, `4` or `6`.
        dns_every_s: addresses are resolved again this often, seconds, > 0.
    """

    warm: Warm = Warm.AUTO
    warm_count: int = 0
    keep_alive_s: float = 60.0
    ip: str = "any"
    dns_every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one measure against a limit, as in `latency p99 < 300ms` or `throttled > 50% for 10s`.

    Attributes:
        text: as the user wrote it.
        measure: `latency`, `lateness`, `rate`, or an outcome (`ok`, `throttled`, ... or `unsettled`), or `dropped`.
        quantile: 0..1 for latency and lateness (`max` is 1), else None.
        operator: `<`, `<=`, `>` or `>=`.
        limit: seconds for times, 0..1 for shares, requests/s for `rate`.
        for_s: how long it must hold without a gap, seconds; 0 in thresholds.
    """

    text: str
    measure: str
    quantile: float | None
    operator: str
    limit: float
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asks for. One execution of it is a run.

    Attributes:
        max_late_s: a request later than this past due is dropped, seconds, > 0 (0.02 unless stated).
        seed: fixes every random choice of the schedule, 0 <= seed < 2**63.
        marks: send `x-burstline-run` and our User-Agent with every request.
        tolerated_throttled: share of throttled requests that is still a pass, 0..1.
    """

    name: str
    target: Target
    requests: tuple[Request, ...]
    load: tuple[Phase, ...]
    auth: Auth = field(default_factory=Auth)
    writes: bool = False
    data: DataFile | None = None
    goal: Goal | None = None
    tolerated_throttled: float = 0.0
    thresholds: tuple[Condition, ...] = ()
    abort: tuple[Condition, ...] = ()
    ceilings: Ceilings = field(default_factory=Ceilings)
    connections: Connections = field(default_factory=Connections)
    max_late_s: float = 0.02
    seed: int = 0
    marks: bool = True

    @property
    def duration_s(self) -> float:
        """Length of all phases, seconds."""
        return sum(phase.duration_s for phase in self.load)
