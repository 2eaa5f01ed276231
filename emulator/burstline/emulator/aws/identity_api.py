"""STS: who is asking, and roles for the asking."""

from burstline.emulator.aws.backend import Answer, Backend, Handler

ROLE_S = 3600.0
"""How long an assumed role's credentials are good, seconds."""


def get_caller_identity(backend: Backend, _: Answer) -> Answer:
    """Answer with the account."""
    arn = f"arn:aws:iam::{backend.settings.account_id}:user/practice"
    return {"UserId": "PRACTICE", "Account": backend.settings.account_id, "Arn": arn}


def assume_role(backend: Backend, given: Answer) -> Answer:
    """Answer with credentials that are worth nothing anywhere else."""
    name = str(given["RoleArn"]).rpartition("/")[2]
    session = given["RoleSessionName"]
    return {
        "Credentials": {
            "AccessKeyId": "ASIAPRACTICE00000000",
            "SecretAccessKey": "practice",
            "SessionToken": "practice",
            "Expiration": backend.recorder.now_s() + ROLE_S,
        },
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROAPRACTICE:{session}",
            "Arn": f"arn:aws:sts::{backend.settings.account_id}:assumed-role/{name}/{session}",
        },
    }


IDENTITY_HANDLERS: dict[str, Handler] = {"GetCallerIdentity": get_caller_identity, "AssumeRole": assume_role}
"""By operation."""
