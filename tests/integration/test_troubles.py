"""What of a plan fails while it runs is said at once, in the report and in the ledger: by the command, as typed."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "cl1ent-s3cret-77"
LIFE_S = 3.0
PLAN = """\
name: orders
target: {{url: "http://127.0.0.1:{port}"}}
writes: allowed
auth:
  cognito: {{token_url: "http://127.0.0.1:{port}/oauth2/token", client_id: c, client_secret: "${{env:POOL_SECRET}}"}}
requests:
  - {{name: order, post: /orders, json: {{items: [{{price: "{{{{ 12 // ((n - 5) % 10) }}}}"}}]}}}}
load: [{{for: 4s, rate: 20}}]
"""


class Shop(http.server.BaseHTTPRequestHandler):
    """A target with its user pool, which gives no more tokens once the load has begun. Old ones are refused."""

    protocol_version = "HTTP/1.1"
    given_s: dict[str, float]
    begun: bool

    def do_POST(self) -> None:
        kind = type(self)
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/oauth2/token":
            if kind.begun:
                self._answer(400, {"error": "invalid_client", "error_description": SECRET})
                return
            token = f"token-{len(kind.given_s)}"
            kind.given_s[token] = time.monotonic()
            self._answer(200, {"access_token": token, "expires_in": LIFE_S})
            return
        kind.begun = kind.begun or "x-burstline-preflight" not in self.headers
        token = self.headers["Authorization"].removeprefix("Bearer ")
        self._answer(201 if time.monotonic() - kind.given_s[token] < LIFE_S else 401, {})

    def _answer(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    kind = type("OneShop", (Shop,), {"given_s": {}, "begun": False})
    shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    yield shop.server_port
    shop.shutdown()
    shop.server_close()


def test_a_template_without_a_result_and_a_token_that_cannot_be_renewed_are_the_user_s_to_see(
    port: int, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN.format(port=port))
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": "", "POOL_SECRET": SECRET, "COLUMNS": "400"}
    command = [sys.executable, "-m", "burstline.client", "run", "plan.yaml", "--workers", "1", "--json", "report.json"]
    ended = subprocess.run(
        [*command, "--html", "report.html"], env={**os.environ, **home}, cwd=tmp_path, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    text = (tmp_path / "report.json").read_text()
    report = json.loads(text)
    ledger = report["ledger"]

    template, authorization = sorted(report["troubles"], key=lambda one: one["kind"], reverse=True)
    assert (template["request"], template["place"]) == ("order", "json.items[0].price")
    assert (template["reason"], template["count"]) == ("ZeroDivisionError", ledger["dropped_by_reason"]["template"])
    assert re.fullmatch(r"integer .* by zero, at arrival \d*5", template["example"])
    assert ledger["dropped_by_reason"]["slots"] == 0
    assert 7 <= ledger["dropped_by_reason"]["template"] <= 8, "every tenth; a busy machine may be late for one"

    assert (authorization["request"], authorization["place"]) == (None, "auth.cognito")
    assert authorization["reason"] == f"127.0.0.1:{port} gave no token: 400 invalid_client"
    assert re.fullmatch(r"the old token, which ends at \d\.\d s", authorization["example"])
    ends_s = float(authorization["example"].split()[-2])
    refused = ledger["outcomes"]["rejected"]
    assert ledger["outcomes"]["ok"] + refused == ledger["sent"]
    assert refused == pytest.approx((4.0 - ends_s) * 18, abs=6), "18 a second reach it, from the token's end on"

    said = ended.stdout + ended.stderr
    page = (tmp_path / "report.html").read_text()
    for words in ("a template has no result", "the authorization could not be renewed"):
        assert sum(words in note for note in report["notes"]) == 1
        assert ended.stderr.count(words) == 1, "while it runs"
        assert ended.stdout.count(words) == 1, "in the report"
        assert words in page
    assert "more workers would not help" in said
    assert "add workers" not in said
    assert SECRET not in said + text + page
