"""Certificates for tests: made by openssl, each its own authority."""

import shutil
import subprocess
from pathlib import Path

import pytest


def certify(folder: Path, *names: str) -> Path:
    """Make cert.pem and key.pem in a folder and return it; skips where there is no openssl.

    Args:
        folder: is there.
        names: as in a subjectAltName, such as IP:127.0.0.1; none is DNS:localhost.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes its certificate with openssl")
    command = [
        openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", f"subjectAltName={','.join(names) or 'DNS:localhost'}",
        "-keyout", "key.pem", "-out", "cert.pem",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder
