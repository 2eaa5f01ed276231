"""The server's certificates, for both of its sides: gRPC, and the pages with /metrics."""

import ssl

import grpc

from burstline.server.errors import CannotStart
from burstline.server.settings import Tls


def page_context(tls: Tls) -> ssl.SSLContext:
    """Return how the HTTP side speaks TLS 1.2 or later; with a client authority, every caller must show a certificate.

    Raises:
        CannotStart: a file cannot be read, is no PEM, or the key is not the certificate's.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")  # an encrypted key fails; nobody is asked
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        files = f"{tls.certificate}, {tls.key}" + (f", {tls.client_ca}" if tls.client_ca is not None else "")
        raise CannotStart(
            f"one of {files} is no PEM certificate or unencrypted key, or the key is another certificate's "
            f"({error.reason or error})"
        ) from error
    except OSError as error:
        raise CannotStart(f"a TLS file cannot be read: {_missing(tls)}{error.strerror}") from error
    return context


def _missing(tls: Tls) -> str:
    """Name the files that cannot be opened: the ssl module does not say which it was."""
    found = ""
    for path in (tls.certificate, tls.key, tls.client_ca):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError:
            found += f"{path}: "
    return found


def call_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return the same for gRPC; raises as `page_context`."""
    page_context(tls)  # gRPC itself does not say what is wrong
    authority = tls.client_ca.read_bytes() if tls.client_ca is not None else None
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], root_certificates=authority, require_client_auth=authority is not None)
