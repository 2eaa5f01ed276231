"""What stands beside the load connects to no forbidden address, whatever a name or a redirect says."""

import errno
import socket
from typing import Any

import pytest
from burstline.workers.requests.posting import connect_checked


def resolving_to(*addresses: str) -> Any:
    def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    return found


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("tokens.example.com", ["169.254.169.254"]),
        ("tokens.example.com", ["93.184.216.34", "fd00:ec2::254"]),
        ("tokens.example.com", ["::ffff:169.254.169.254"]),
        ("tokens.example.com", ["fe80::1%eth0"]),
        ("localhost", ["10.0.0.1"]),
    ],
)
def test_a_name_that_leads_to_a_forbidden_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*addresses))
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it was connected to"))
    with pytest.raises(OSError, match=r"never allowed|not this machine") as refused:
        connect_checked((host, 443))
    assert refused.value.errno == errno.EACCES
