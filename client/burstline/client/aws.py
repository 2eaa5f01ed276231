"""Options that say how AWS is reached, for commands that bring their own server."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from burstline.server.aws.settings import AwsSettings

F = TypeVar("F", bound=Callable[..., Any])


def aws_options(command: F) -> F:
    """Add `--region`, `--profile`, `--role-arn` and `--endpoint-url`; what is not given is as for boto3."""
    for option in (
        click.option("--endpoint-url", default="", metavar="URL", help="Ask all AWS services there."),
        click.option("--role-arn", default="", metavar="ARN", help="Assume this role first."),
        click.option("--profile", default="", help="Profile of ~/.aws/config."),
        click.option("--region", default="", help="AWS region."),
    ):
        command = option(command)
    return command


def aws_settings(region: str, profile: str, role_arn: str, endpoint_url: str) -> "AwsSettings":
    """Return the settings that the options state."""
    from burstline.server.aws.settings import AwsSettings

    return AwsSettings(region=region, profile=profile, role_arn=role_arn, endpoint_url=endpoint_url)


def option_seconds(option: str, text: str) -> float:
    """Return a duration such as `4m` in seconds; raises UsageError."""
    from pydantic_core import PydanticCustomError

    from burstline.client.errors import UsageError
    from burstline.client.spelling.units import duration_s

    try:
        return duration_s(text if text != "0" else 0)
    except PydanticCustomError as error:
        raise UsageError(f"{option}: {error.message()}") from error
