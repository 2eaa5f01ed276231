"""The ledger closes, or says by how much it does not."""

from burstline.core.load.ledger import Ledger, add
from burstline.core.load.window import Drop


def closed() -> Ledger:
    return Ledger(
        scheduled=100,
        not_due=10,
        due=90,
        sent=80,
        sent_on_wire=79,
        preflight=2,
        dropped={Drop.LATE: 4, Drop.CEILING: 1},
        unsent=3,
        lost=2,
        in_flight=5,
        orphaned=1,
        signatures={"rest.ok": 70, "rest.429.too_many": 4},
    )


def test_a_ledger_whose_laws_hold_closes() -> None:
    assert closed().imbalances() == []


def test_each_broken_law_is_named_with_its_numbers() -> None:
    broken = Ledger(scheduled=5, due=4, sent=6, sent_on_wire=7)
    assert broken.imbalances() == [
        "scheduled = due + not_due: 5 is not 4",
        "due = sent + dropped + unsent + lost: 4 is not 6",
        "sent = outcomes + in_flight + orphaned: 6 is not 0",
        "0 <= sent_on_wire <= sent: 7 of 6",
    ]


def test_the_sum_of_two_closed_ledgers_closes() -> None:
    total = add(closed(), closed())
    assert total.imbalances() == []
    assert total.dropped == {Drop.LATE: 8, Drop.CEILING: 2}
    assert total.signatures == {"rest.ok": 140, "rest.429.too_many": 8}
