"""TLS towards the target: which authorities are trusted, who we say we are, and sessions that are resumed.

Authorities: the system's (SSL_CERT_FILE, SSL_CERT_DIR) and those of AWS_CA_BUNDLE. A client certificate, for APIs with
mutual TLS: BURSTLINE_CLIENT_CERT names a PEM file with the certificate (and its chain), BURSTLINE_CLIENT_KEY one with
the key if it is not in the same file. Both are files of the worker's own machine, and never leave it.
"""

import os
import ssl
import sys
import time
from typing import Any

RENEWED_EVERY_S = 60.0
"""How long a session is offered before a newer one takes its place, seconds; tickets hold for hours."""

_VERIFY_AS_DEFAULT = ("VERIFY_X509_PARTIAL_CHAIN", "VERIFY_X509_STRICT")
"""What `ssl.create_default_context` sets from Python 3.13."""


RECORD_BYTES = 16_384
"""The most that one TLS record holds, bytes: RFC 8446, section 5.1, read 2026-11-23."""


_read = ssl.SSLObject.read


class RecordReader(ssl.SSLObject):
    """A TLS object that is never asked for more than a record, which is all that OpenSSL gives at a time.

    Event loops ask for 256 KiB at every read. So large a block comes from the kernel and goes back to it, in three
    system calls, 18 microseconds, until the C library has learnt to keep such blocks; then it costs 2 microseconds
    (measured). What is read is the same.
    """

    def read(self, len: int = 1024, buffer: Any = None) -> bytes:
        """Return up to a record of decrypted bytes, or put them into `buffer` and return how many; see `ssl`."""
        return _read(self, len if len < RECORD_BYTES else RECORD_BYTES, buffer)


class ClientContext(ssl.SSLContext):
    """TLS settings that offer the last session of the same host, which saves the certificates of a handshake.

    Event loops make their TLS objects by `wrap_bio` and have no argument for a session, so it goes in here.
    """

    sslobject_class = RecordReader
    _sessions: dict[str | None, ssl.SSLSession]

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Called by the event loop for a new connection."""
        name = server_hostname.decode() if isinstance(server_hostname, bytes) else server_hostname
        known = session or self.__dict__.get("_sessions", {}).get(name)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, known)

    def keep(self, tls: Any) -> None:
        """Remember the session of a connection, if the server has given it a ticket by now; once a minute a host."""
        if tls is None:
            return
        known = self.__dict__.get("_sessions", {}).get(tls.server_hostname)
        if known is not None and time.time() - known.time < RENEWED_EVERY_S:
            return  # reading a session copies it
        session = tls.session
        if session is not None and session.has_ticket:
            self.__dict__.setdefault("_sessions", {})[tls.server_hostname] = session


def _no_password() -> bytes:
    """Answer instead of OpenSSL asking the terminal."""
    return b""


def client_context() -> ClientContext:
    """Return the TLS settings of this worker; HTTP/1.1 only.

    Raises:
        OSError: a file cannot be read, or a key does not fit its certificate.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.version_info >= (3, 13):
        for name in _VERIFY_AS_DEFAULT:
            context.verify_flags |= ssl.VerifyFlags[name]
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle:
        context.load_verify_locations(cafile=bundle)
    certificate = os.environ.get("BURSTLINE_CLIENT_CERT")
    if certificate:
        key = os.environ.get("BURSTLINE_CLIENT_KEY") or None
        context.load_cert_chain(certificate, key, password=_no_password)
    context.set_alpn_protocols(["http/1.1"])
    return context
