"""Secrets: the worker's own are not for plans, and none comes back in what a target says."""

import pytest
from burstline.workers.errors import CannotPrepare
from burstline.workers.requests.secrets import HIDDEN, hidden, resolve, secrets_of


@pytest.mark.parametrize("name", ["BURSTLINE_TOKEN", "BURSTLINE_STORE", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_a_plan_cannot_send_the_worker_s_own_secrets(name: str) -> None:
    with pytest.raises(CannotPrepare, match=f"{name} is the worker's own secret") as refused:
        resolve(f"key ${{env:{name}}}", {name: "s3cret"})
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "echo",
    [
        "key pa55/wo+rd!'<x> is unknown",
        '{"message": "pa55/wo+rd!\'<x>"}',
        "/?key=pa55%2Fwo%2Brd%21%27%3Cx%3E",
        "/?key=pa55/wo%2Brd%21%27%3Cx%3E",
        "<p>pa55/wo+rd!&#x27;&lt;x&gt;</p>",
        "Basic bG9hZDpwYTU1",
        "token eyJ.abc.def expired",
        "session=c00kie-1 is over",
    ],
)
def test_what_a_target_gives_away_of_what_it_was_sent_is_hidden_however_it_is_written(echo: str) -> None:
    head = "GET / HTTP/1.1\r\nAuthorization: Basic bG9hZDpwYTU1\r\nx-amz-security-token: eyJ.abc.def\r\n"
    request = f"{head}Cookie: a=b; session=c00kie-1\r\nAccept: */*\r\n\r\nbody".encode()
    secrets = secrets_of("${env:KEY} ${env:GONE}", request, {"KEY": "pa55/wo+rd!'<x>"})
    shown = hidden(echo, secrets)
    assert HIDDEN in shown
    assert not any(part in shown for part in ("pa55", "bG9h", "eyJ", "c00kie"))


def test_what_is_no_secret_stays() -> None:
    text = "Basic and Bearer are schemes; */* is accepted; 1 is short"
    assert (
        hidden(text, secrets_of("${env:ONE}", b"GET / HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\n", {"ONE": "1"}))
        == text
    )
