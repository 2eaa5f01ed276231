"""AWS Signature Version 4 with the worker's own credentials, through botocore."""

import os
import re
from collections.abc import Sequence

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from burstline.core.load.plan import Auth, Front
from burstline.workers.errors import CannotPrepare

_REGION_IN_HOST = re.compile(r"(?:^|\.)(?:execute-api|lambda-url|lambda|sqs)\.([a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)")
_SERVICES = {Front.FUNCTION_URL: "lambda", Front.LAMBDA: "lambda", Front.SQS: "sqs"}


def signing_scope(auth: Auth, front: Front, host: str) -> tuple[str, str]:
    """Return the region and service to sign for: the plan's, else what host, environment and front say.

    Raises:
        CannotPrepare: no region is known.
    """
    match = _REGION_IN_HOST.search(host)
    region = auth.region or (match[1] if match else "") or os.environ.get("AWS_REGION", "")
    region = region or os.environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise CannotPrepare(f"auth.sigv4.region is not stated and cannot be taken from the host {host}")
    return region, auth.service or _SERVICES.get(front, "execute-api")


class Signer:
    """Signs requests. Made in a thread: looking for credentials may read files and ask the network.

    Raises:
        CannotPrepare: this worker has no AWS credentials.
    """

    def __init__(self, region: str, service: str) -> None:
        try:
            self._credentials = get_session().get_credentials()
        except BotoCoreError as error:
            raise CannotPrepare(f"AWS credentials could not be read on the worker: {type(error).__name__}") from error
        if self._credentials is None:
            raise CannotPrepare("auth.sigv4 needs AWS credentials on the worker, and it has none")
        self._region, self._service = region, service
        self.refresh()

    def refresh(self) -> None:
        """Take over renewed credentials; may ask the network, so call it in a thread, well before they end."""
        frozen = self._credentials.get_frozen_credentials()
        self._auth = SigV4Auth(frozen, self._service, self._region)

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Sequence[tuple[str, str]]:
        """Return the headers with the signature's own added."""
        request = AWSRequest(method=method, url=url, data=body or None, headers=dict(headers))
        self._auth.add_auth(request)
        return list(request.headers.items())
