"""Sessions and clients, as boto3 users expect: profile, region, role, `endpoint_url`."""

import logging
import os
import threading
from typing import Any

from burstline.server.aws.settings import AwsSettings

MOST_CONNECTIONS = 10


def quiet_botocore() -> None:
    """Keep botocore from logging bodies: at DEBUG it writes whole answers, with functions' environment variables."""
    for name in ("boto3", "botocore", "urllib3"):
        log = logging.getLogger(name)
        if log.getEffectiveLevel() < logging.INFO:
            log.setLevel(logging.INFO)


class Clients:
    """Makes one client per service, when it is first needed. Thread-safe; blocks."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._clients: dict[str, Any] = {}
        self._session: Any = None
        self._lock = threading.Lock()

    def client(self, service: str, *, retries: bool = True) -> Any:
        """Return the client of a service; raises botocore's exceptions. Without `retries` each call is made once."""
        key = service if retries else f"{service} once"
        # boto3 sessions are not thread-safe while they make clients; the clients are.
        with self._lock:
            if key not in self._clients:
                quiet_botocore()
                if self._session is None:
                    self._session = _session(self._settings)
                attempts = self._settings.attempts if retries else 1
                self._clients[key] = self._session.client(
                    service,
                    endpoint_url=self._settings.endpoint_url or None,
                    config=_config(self._settings, attempts),
                )
            return self._clients[key]

    def region(self) -> str:
        """Return the region that calls go to; "" if none is set anywhere."""
        with self._lock:
            if self._session is None:
                self._session = _session(self._settings)
            return str(self._session.region_name or "")

    def close(self) -> None:
        """Close the clients' connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def _config(settings: AwsSettings, attempts: int) -> Any:
    # Late, here and below: boto3 takes longer to import than the rest of the server to start.
    from botocore.config import Config

    return Config(
        connect_timeout=settings.timeout_s,
        read_timeout=settings.timeout_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MOST_CONNECTIONS,
        user_agent_extra="burstline",
    )


def _session(settings: AwsSettings) -> Any:
    import boto3
    import botocore.session
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    session = boto3.Session(profile_name=settings.profile or None, region_name=settings.region or None)
    if session.region_name is None:
        # boto3 looks at AWS_DEFAULT_REGION alone; the AWS CLI and Lambda's own environment have AWS_REGION.
        region = os.environ.get("AWS_REGION") or settings.fallback_region or None
        session = boto3.Session(profile_name=settings.profile or None, region_name=region)
    if not settings.role_arn:
        return session
    source = session._session  # the public session does not hand out what a credential fetcher needs
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=_role_client_creator(source, settings, session.region_name),
        source_credentials=source.get_credentials(),
        role_arn=settings.role_arn,
        extra_args={
            "RoleSessionName": settings.session_name,
            **({"ExternalId": settings.external_id} if settings.external_id else {}),
        },
    )
    assumed = botocore.session.get_session()
    assumed._credentials = DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)
    if settings.profile:
        assumed.set_config_variable("profile", settings.profile)
    return boto3.Session(botocore_session=assumed, region_name=settings.region or session.region_name)


def _role_client_creator(source: Any, settings: AwsSettings, session_region: str | None) -> Any:
    """Return what makes the STS client: as botocore's own, but at `endpoint_url` when there is one."""

    def create(service: str, **given: Any) -> Any:
        # With a role, STS must be asked in a region; partitions have no global one that is always open.
        given.setdefault("region_name", settings.region or session_region or "us-east-1")
        if settings.endpoint_url:
            given["endpoint_url"] = settings.endpoint_url
        return source.create_client(service, **given)

    return create
