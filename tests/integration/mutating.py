"""Bytes that are nearly right; how many a fuzz test sends."""

import os
import random

COUNT = int(os.environ.get("BURSTLINE_FUZZ", "240"))
"""Messages of one fuzz test; `make fuzz` sends 10,000."""

SPECIAL = (0, 1, 0x7F, 0x80, 0xFF)


def mutated(body: bytes, draw: random.Random) -> bytes:
    """Return bytes changed, put in, taken out or cut off in one to six places."""
    found = bytearray(body)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(found) + 1)
        match draw.randrange(4):
            case 0 if at < len(found):
                found[at] = draw.choice(SPECIAL) if draw.random() < 0.5 else draw.randrange(256)
            case 1:
                found[at:at] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 4)))
            case 2:
                del found[at : at + draw.randint(1, 8)]
            case _:
                length = draw.randint(0, 24)
                start = draw.randrange(len(found) + 1)
                found[at:at] = found[start : start + length]
    return bytes(found)
