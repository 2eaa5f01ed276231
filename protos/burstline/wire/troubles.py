"""What of a plan failed on a worker: `v1.Window.Trouble` <-> `core.load.troubles`."""

from collections.abc import Mapping

from burstline.core.load.troubles import LONGEST, MOST, Trouble, TroubleKey, TroubleKind, Troubles
from burstline.v1 import windows_pb2 as v1
from burstline.wire.checks import Checks

_KINDS = {
    TroubleKind.TEMPLATE: v1.Window.Trouble.TEMPLATE,
    TroubleKind.AUTHORIZATION: v1.Window.Trouble.AUTHORIZATION,
}
_KINDS_BACK = {number: kind for kind, number in _KINDS.items()}


def troubles_to_proto(troubles: Mapping[TroubleKey, Trouble]) -> list[v1.Window.Trouble]:
    """Return a window's troubles as messages."""
    return [
        v1.Window.Trouble(
            kind=_KINDS[key.kind],
            request=key.request,
            place=key.place,
            reason=key.reason,
            example=trouble.example,
            first_nanos=round(trouble.first_s * 1e9),
            count=trouble.count,
        )
        for key, trouble in troubles.items()
    ]


def troubles_from_proto(message: v1.Window, checks: Checks) -> Troubles:
    """Return a window's troubles; too many of them, or too long texts, are refused."""
    if not message.troubles:  # nearly always
        return {}
    checks.require(len(message.troubles) <= MOST, "troubles", f"{len(message.troubles)} are more than {MOST}")
    found: Troubles = {}
    for i, one in enumerate(message.troubles[:MOST]):
        if one.kind not in _KINDS_BACK:
            checks.refuse(f"troubles[{i}].kind", f"{one.kind} is no kind of trouble")
            continue
        if max(len(one.place), len(one.reason), len(one.example)) > LONGEST:
            checks.refuse(f"troubles[{i}]", f"a text has more than {LONGEST} characters")
        checks.require(one.count > 0, f"troubles[{i}].count", f"{one.count} is not over 0")
        key = TroubleKey(_KINDS_BACK[one.kind], one.request, one.place, one.reason)
        found[key] = Trouble(one.first_nanos * 1e-9, one.example, one.count)
    return found
