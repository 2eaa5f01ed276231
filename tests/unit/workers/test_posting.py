"""What stands beside the load connects to no forbidden address, whatever a name or a redirect says."""

import errno
import http.server
import socket
import threading
from typing import Any

import pytest
from burstline.workers.requests.posting import connect_checked, post


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


def test_a_redirect_is_an_answer_and_followed_nowhere() -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/secrets" if self.path == "/token" else "http://169.254.169.254/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status, _ = post(f"http://127.0.0.1:{server.server_port}/token", {}, b"secret")
        server.shutdown()
    assert (status, asked) == (307, ["/token"])


@pytest.mark.parametrize("host", ["169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]"])
def test_a_forbidden_address_is_not_posted_to_however_it_is_written(host: str) -> None:
    with pytest.raises(OSError, match="never allowed"):
        post(f"http://{host}/token", {}, b"secret")
