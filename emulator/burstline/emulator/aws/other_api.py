"""SQS queues as they are declared, and STS: who is asking, and roles for the asking."""

from burstline.emulator.aws.backend import Answer, ApiError, Backend, Handler

ROLE_S = 3600.0
"""How long an assumed role's credentials are good, seconds."""


def get_queue_url(backend: Backend, given: Answer) -> Answer:
    """Answer with a queue's URL."""
    name = given["QueueName"]
    if name not in backend.settings.queues:
        raise ApiError(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    host = f"https://sqs.{backend.account.region}.amazonaws.com"
    return {"QueueUrl": f"{host}/{backend.settings.account_id}/{name}"}


def get_queue_attributes(backend: Backend, given: Answer) -> Answer:
    """Answer with the attributes asked for."""
    name = str(given["QueueUrl"]).rpartition("/")[2]
    queue = backend.settings.queues.get(name)
    if queue is None:
        raise ApiError(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    known = {
        "QueueArn": backend.arn("sqs", name),
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "345600",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        **queue.attributes,
    }
    wanted = given.get("AttributeNames", [])
    return {"Attributes": {key: value for key, value in known.items() if "All" in wanted or key in wanted}}


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


QUEUE_HANDLERS: dict[str, Handler] = {"GetQueueUrl": get_queue_url, "GetQueueAttributes": get_queue_attributes}
IDENTITY_HANDLERS: dict[str, Handler] = {"GetCallerIdentity": get_caller_identity, "AssumeRole": assume_role}
"""By operation: SQS, and STS."""
