"""What `burstline stop` says of a run that no worker held."""

import pytest
from burstline.client.commands.stop import without_workers
from burstline.v1 import resources_pb2 as v1


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (v1.Run.QUEUED, "stopped before its load began"),
        (v1.Run.PREPARING, "stopped before its load began"),
        (v1.Run.RUNNING, "sends nothing any more; its report follows"),
        (v1.Run.SETTLING, "sends nothing any more; its report follows"),
        (v1.Run.STOPPED, "it had ended already"),
        (v1.Run.SUCCEEDED, "it had ended already"),
    ],
)
def test_a_stop_says_what_came_of_it(state: v1.Run.State.ValueType, text: str) -> None:
    assert without_workers(v1.Run(state=state)) == text
