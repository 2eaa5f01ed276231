"""What workers send is bytes until it is looked at."""

import pytest
from burstline.server.judging.codec import decode_outline
from burstline.wire.errors import InvalidMessage


@pytest.mark.parametrize("body", [b"\xff", b"\x12\x05ab", b"\x08"])
def test_bytes_that_are_no_window_are_refused_by_field(body: bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_outline(body)
    assert caught.value.violations[0].field == "window"
