"""What makes a request's authorization when it is not the same all the time: signatures, and tokens that expire."""

from collections.abc import Collection, Sequence
from typing import Protocol

from burstline.core.load.plan import AuthKind, Plan
from burstline.workers.requests.signing import Signer, signing_scope
from burstline.workers.requests.tokens import TokenSource


class Authorizer(Protocol):
    """Authorizes requests with something that is renewed while they are sent."""

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> list[tuple[str, str]]:
        """Return the headers of a request with the authorization's own added."""
        ...

    def moment(self) -> object:
        """Return a value that stays equal as long as the same request gets the same headers."""
        ...

    def refresh(self) -> None:
        """Renew it; may ask the network, so call it in a thread. Raises CannotPrepare; the old one then stays."""

    def refresh_in_s(self) -> float:
        """Return in how many seconds it is to be renewed, >= 0."""
        ...

    def ends_in_s(self) -> float | None:
        """Return in how many seconds what there is ends, 0 or less if it has; None if that is not known."""
        ...


def make_authorizer(plan: Plan, host: str, allowed_hosts: Collection[str]) -> Authorizer | None:
    """Return what authorizes a plan's requests, ready to; None if nothing of it changes. Blocks: call it in a thread.

    Args:
        plan: the plan.
        host: of its target.
        allowed_hosts: where secrets may be sent, besides this machine and AWS.

    Raises:
        CannotPrepare: credentials are missing, or were refused.
    """
    if plan.auth.kind is AuthKind.SIGV4:
        return Signer(*signing_scope(plan.auth, plan.target.front, host))
    if plan.auth.kind is AuthKind.COGNITO and plan.auth.cognito is not None:
        return TokenSource(plan.auth.cognito, allowed_hosts)
    return None
