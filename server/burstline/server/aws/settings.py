"""How AWS is reached: as boto3 users expect, plus whether to ask it at all."""

from dataclasses import dataclass
from enum import StrEnum

from burstline.core.load.plan import Plan
from burstline.core.quota.aws.iam import on_aws, scope_of


class Asking(StrEnum):
    """Whether AWS is asked: `auto` asks for plans whose target is in AWS, or when an endpoint is given."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Where and as whom AWS is asked. What is "" is taken from where boto3 takes it: environment, then profile.

    Attributes:
        asking: whether.
        region: AWS region name.
        fallback_region: taken when neither `region`, environment nor profile has one.
        profile: of `~/.aws/config`.
        role_arn: a role to assume with the profile's credentials.
        external_id: for that role.
        endpoint_url: all services are asked there, as with `AWS_ENDPOINT_URL`.
        session_name: of the assumed role, shown in CloudTrail.
        timeout_s: to connect, and to wait for each answer, seconds, > 0.
        attempts: of each call, retries included, in botocore's `standard` mode, >= 1. Source of 5 to 8 for readers: AWS
            SDKs and Tools Reference, "Retry behavior".
    """

    asking: Asking = Asking.AUTO
    region: str = ""
    fallback_region: str = ""
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    endpoint_url: str = ""
    session_name: str = "burstline"
    timeout_s: float = 10.0
    attempts: int = 6


def asks_aws(plan: Plan, settings: AwsSettings) -> bool:
    """Whether a run of the plan reads AWS: it names a function or an API, and the target is there.

    A function behind a loopback or foreign host is not looked up in whatever account the machine has credentials for.
    """
    if settings.asking is Asking.NEVER:
        return False
    scope = scope_of(plan, settings.region)
    if not scope.names_aws:
        return False
    return settings.asking is Asking.ALWAYS or bool(settings.endpoint_url) or on_aws(scope.host)
