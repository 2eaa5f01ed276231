"""What a worker process is told at its start."""

import socket
from dataclasses import dataclass, field
from importlib.metadata import version

CAPACITY_PER_S = 8000.0
"""What one process says it can send, requests/s: a cautious figure for one core and plain requests."""


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Settings of one worker.

    Attributes:
        server: "host:port" of the control plane, or of several servers on one database, separated by commas: the first
            that answers is taken.
        token: bearer token; "" is none.
        tls: whether the control plane speaks TLS; implied by any of the files.
        ca_file: PEM of the authorities to trust; "" is the system's.
        certificate_file: PEM of the client certificate; "" is none.
        key_file: PEM of its key.
        metrics_port: where `/metrics` is served; None is not at all, 0 is a free port.
        metrics_host: address for it.
        name: what the server shows as host name.
        capacity_per_s: what it says it can send, requests/s, > 0.
        version: burstline's; another one only in tests.
    """

    server: str
    token: str = field(default="", repr=False)
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    name: str = field(default_factory=socket.gethostname)
    capacity_per_s: float = CAPACITY_PER_S
    version: str = field(default_factory=lambda: version("burstline"))
