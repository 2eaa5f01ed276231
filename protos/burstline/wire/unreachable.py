"""Why a server cannot be reached, in words: gRPC says UNAVAILABLE for all of it, and the reason only in its text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Reason:
    """What gRPC's text holds, whether our side spoke TLS (None: either), and what that means."""

    text: str
    secure: bool | None
    meaning: str


_REASONS = (
    _Reason(
        "WRONG_VERSION_NUMBER", True, "{server} does not speak TLS: leave out --ca and --cert, or start it with TLS"
    ),
    _Reason(
        "CERTIFICATE_VERIFY_FAILED", True,
        "{server} has a certificate that the authority of --ca did not sign, or one that has expired",
    ),
    _Reason(
        "Hostname Verification", True,
        "{server} has a certificate for another name: call it by a name that its certificate has",
    ),
    _Reason(
        "Socket closed", True,
        "{server} ended the TLS handshake: likely it wants a certificate of ours that its --client-ca signed: give "
        "--cert and --key",
    ),
    _Reason(
        "Socket closed", False,
        "{server} takes connections and ends them: likely it speaks TLS: give --ca (and --cert with --key, if it wants "
        "a certificate of ours)",
    ),
    _Reason(
        "HTTP/2", None,
        "what listens at {server} is no gRPC server; a burstline server's pages have another port than its calls",
    ),
    _Reason("hostname lookup", None, "the name of {server} cannot be resolved"),
)  # fmt: skip


def why_unreachable(details: str, server: str, *, secure: bool) -> str:
    """Return what is likely, in a sentence without its end; "" if nothing answers there.

    Args:
        details: gRPC's text, of grpcio 1.85; another version's may not be understood, and is then "".
        server: host:port that was called.
        secure: whether our side spoke TLS.
    """
    for reason in _REASONS:
        if reason.text in details and reason.secure in (None, secure):
            return reason.meaning.format(server=server)
    return ""
