"""What can go wrong with a call to AWS; botocore's exceptions are turned into these where they enter.

AwsError
├── Denied        the policy does not allow an action; `.action` is the one to add
├── Absent        what was asked for does not exist
├── Unreachable   no credentials, no region, no network, expired token: no call will work
└── Refused       any other answer of AWS; `.code` is AWS's own
"""

from typing import Any

from burstline.core.quota.aws.iam import action_of


class AwsError(Exception):
    """A call to AWS that failed; the text is a sentence for the user, without account numbers."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Denied(AwsError):
    """The credentials may not do this.

    Attributes:
        action: the IAM action that a policy would have to allow.
    """

    def __init__(self, action: str) -> None:
        super().__init__(f"not allowed: the policy lacks {action}")
        self.action = action


class Absent(AwsError):
    """It does not exist (or not for these credentials)."""


class Unreachable(AwsError):
    """AWS cannot be asked at all."""


class Refused(AwsError):
    """AWS answered with an error of its own.

    Attributes:
        code: AWS's error code.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_DENIED = frozenset({
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized",
    "ForbiddenException", "UnauthorizedException", "DependencyAccessDeniedException", "AuthorizationErrorException",
})  # fmt: skip
_ABSENT = frozenset({
    "ResourceNotFoundException", "NoSuchResourceException", "NotFoundException", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue", "ProvisionedConcurrencyConfigNotFoundException",
})  # fmt: skip
_CREDENTIALS = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired",
    "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
    "OptInRequired",
})  # fmt: skip


def translate(error: Exception, service: str, operation: str) -> AwsError:
    """Return ours for one of botocore's, most specific first; the cause is the caller's to chain."""
    call = f"{service} {operation}"
    from botocore import exceptions as boto  # there is an error of its: it is imported

    if isinstance(error, boto.ClientError):
        return _of_answer(error.response, service, operation)
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError):
        return Unreachable("no AWS credentials were found: set a profile, or AWS_ACCESS_KEY_ID and its companions")
    if isinstance(error, boto.ProfileNotFound):
        return Unreachable(f"{error}: `aws configure list-profiles` shows those there are")
    if isinstance(error, boto.NoRegionError):
        return Unreachable("no AWS region is set: give --region, AWS_REGION, or one in the profile")
    if isinstance(error, boto.TokenRetrievalError | boto.SSOError | boto.CredentialRetrievalError):
        return Unreachable(
            "the AWS credentials could not be fetched; for a profile with single sign-on: `aws sso login`"
        )
    if isinstance(error, boto.HTTPClientError | boto.EndpointConnectionError | boto.ConnectionError):
        return Unreachable(f"{call}: AWS cannot be reached ({type(error).__name__})")
    return Refused(type(error).__name__, f"{call}: {error}")


def _of_answer(response: dict[str, Any], service: str, operation: str) -> AwsError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _CREDENTIALS:
        return Unreachable(f"AWS does not accept the credentials ({code}): renew them, or choose another profile")
    if code in _DENIED:
        return Denied(action_of(service, operation))
    if code in _ABSENT or (status == 404 and code in ("404", "")):
        return Absent(f"{service} {operation}: it does not exist")
    text = str(response.get("Error", {}).get("Message", ""))[:300]
    return Refused(code, f"{service} {operation} answered {code or status}{': ' + text if text else ''}")
