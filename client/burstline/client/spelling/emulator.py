"""The `emulator:` section of an account file: how the practice AWS behaves. Read by `emulate` and `demo` only."""

from typing import Annotated

from pydantic import Field

from burstline.client.spelling.account import ServiceTime
from burstline.client.spelling.plan import FRONTS
from burstline.client.spelling.units import Flag, Ratio, Seconds, SecondsOverZero, Spelled, Text, choices, wholes
from burstline.core.load.plan import Front
from burstline.core.quota import quotas
from burstline.emulator.settings import EmulatorSettings
from burstline.emulator.settings import SlowMode as EmulatorSlowMode


class SlowMode(Spelled):
    """A second mode of a function's service time."""

    share: Ratio
    duration: ServiceTime


class Emulator(Spelled):
    """The section; every field is optional."""

    front: Annotated[str, choices(*(front for front in FRONTS if front != "sqs"))] = "rest"
    stage: Text = ""
    routes: dict[str, Text] = Field(default_factory=dict)
    api_keys: dict[str, Text] = Field(default_factory=dict)
    api_key_required: Flag = False
    round_trip: Seconds = 0.0
    round_trip_jitter: Ratio = 0.0
    seed: Annotated[int, wholes("a whole number 0 or more")] = 0
    noise: Ratio = 0.0
    close: Ratio = 0.0
    hang: Ratio = 0.0
    slow_modes: dict[str, SlowMode] = Field(default_factory=dict)
    integration_timeout: SecondsOverZero | None = None
    success_status: Annotated[int, wholes("a status 200 to 599", least=200, most=599)] = 200
    keep_alive: SecondsOverZero = 310.0


def emulator_settings(section: Emulator, *, host: str, port: int, front: str | None) -> EmulatorSettings:
    """Return the emulator's settings; `front` wins over the section's."""
    return EmulatorSettings(
        front=Front(front or section.front),
        stage=section.stage,
        routes=dict(section.routes),
        api_keys=dict(section.api_keys),
        api_key_required=section.api_key_required,
        round_trip_s=section.round_trip,
        round_trip_jitter=section.round_trip_jitter,
        seed=section.seed,
        noise_ratio=section.noise,
        close_ratio=section.close,
        hang_ratio=section.hang,
        slow_modes={
            name: EmulatorSlowMode(
                mode.share,
                quotas.ServiceTime(mode.duration.p50, mode.duration.p99 or mode.duration.p50),
            )
            for name, mode in section.slow_modes.items()
        },
        integration_timeout_s=section.integration_timeout,
        success_status=section.success_status,
        keep_alive_s=section.keep_alive,
        host=host,
        port=port,
    )
