"""What the parts that drive runs share: settings, store, clock, workers, judge."""

from dataclasses import dataclass

from burstline.server.clock import Clock
from burstline.server.control.owning import Owning
from burstline.server.control.roster import Roster
from burstline.server.control.settling import Judge
from burstline.server.settings import ServerSettings
from burstline.server.store.store import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is driven with; `version` is burstline's."""

    settings: ServerSettings
    store: Store
    clock: Clock
    roster: Roster
    judge: Judge
    version: str
    owning: Owning
