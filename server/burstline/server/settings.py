"""Everything a server can be told, in one frozen object."""

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from burstline.server.aws.settings import AwsSettings


class Role(IntEnum):
    """What a token may do; each role may do what the ones below it may."""

    VIEWER = 1
    RUNNER = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token with its role. The secret is in no `repr` and no log."""

    role: Role
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files. With `client_ca` every caller must show a certificate of that authority (mutual TLS)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server runs.

    Attributes:
        listen: host:port of the gRPC services; port 0 takes a free one.
        http: host:port of the web pages, /metrics, /healthz and report.json; port 0 is a free one; "" leaves them out.
        store: SQLAlchemy URL: `sqlite:///path` or `postgresql://...`.
        allow: hosts that plans may target besides loopback, exact names; "*" allows all but link-local ones.
        tokens: bearer tokens; none means that everyone who reaches the port is an admin.
        tls: certificate files of both ports; None means plain text.
        server_id: what its runs are shown as driven by, and with SQLite the identity by which a restarted server finds
            them; "" is host name, process id and address, and then runs of ended processes of this host are taken up.
        lease_s: how long a worker may send after the heartbeat that was answered last, seconds, > 0.
        closed_lease_s: the same once the worker's stream has closed and the server lives, seconds, over two heartbeats
            (1.25 s each) and under `lease_s`: who is not welcomed again by then has stopped by itself.
        takeover_grace_s: how long a worker that is attached may take to claim a segment it holds, seconds, >= 0.
        silence_margin_s: added to the lease before a silent worker's segments are taken over, seconds, >= 0.
        worker_wait_s: how long a run waits for a first worker, seconds, >= 0.
        more_workers_wait_s: how long it then waits for as many as were asked for, seconds, >= 0.
        return_wait_s: how long beyond a lease a run without any worker waits before it is settled, seconds, >= 0.
        prepare_wait_s: how long preflight and preparing may take, each, seconds, > 0.
        start_delay_s: from `Start` to T0, seconds, > 0.
        watch_every_s: between two updates of WatchRun, seconds, > 0.
        stop_wait_s: how long StopRun waits for the workers' word, seconds, > 0.
        aws: whether and as whom AWS is asked.
        aws_wait_s: how long a run waits for CloudWatch before it is judged, seconds, >= 0; 0 looks once.
        uploads_kept_s: how long after its last upload a file is kept, seconds, > 0.
        series_kept_s: how long after its end a run keeps its metrics slot, seconds, >= 0.
    """

    listen: str = "127.0.0.1:7460"
    http: str = "127.0.0.1:7461"
    store: str = "sqlite:///burstline.db"
    allow: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = ()
    tls: Tls | None = None
    server_id: str = ""
    lease_s: float = 10.0
    closed_lease_s: float = 2.5
    takeover_grace_s: float = 1.5
    silence_margin_s: float = 1.0
    worker_wait_s: float = 30.0
    more_workers_wait_s: float = 5.0
    return_wait_s: float = 5.0
    prepare_wait_s: float = 60.0
    start_delay_s: float = 1.0
    watch_every_s: float = 0.5
    stop_wait_s: float = 1.0
    aws: AwsSettings = field(default_factory=AwsSettings)
    aws_wait_s: float = 0.0
    uploads_kept_s: float = 30 * 86_400.0
    series_kept_s: float = 300.0
