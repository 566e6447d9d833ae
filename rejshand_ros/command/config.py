"""Settings of the command room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from rejshand_ros.command.watchdog import WatchdogConfig
from rejshand_ros.errors import ConfigError, unknown_choice


@dataclass(frozen=True)
class CommandConfig:
    """How a hand is commanded.

    Attributes:
        rate_hz: Commands a second, independent of the camera's rate.
        auto_engage: A fresh target engages by itself, unless the operator disengaged or stopped.
        start_without_measured: The first command may start at the first target where the hand's
            own positions are unknown. Off, there is no command before the hand has been measured.
        ramp_velocity_scale: Share of the velocity limits with which a ramp begins, 0..1.
        ramp_time_s: The share grows to the whole over this time; a ramp then ends at the latest.
        ramp_tolerance_rad: A ramp ends once every joint is this close to its target.
        longest_step_s: A longer pause between two commands is a gap: the hand ramps again.
        watchdog: Ages of input.
    """

    rate_hz: float = 100.0
    auto_engage: bool = False
    start_without_measured: bool = False
    ramp_velocity_scale: float = 0.25
    ramp_time_s: float = 1.0
    ramp_tolerance_rad: float = 0.05
    longest_step_s: float = 0.05
    watchdog: WatchdogConfig = field(default_factory=WatchdogConfig)

    def __post_init__(self) -> None:
        for label in ("rate_hz", "ramp_time_s", "ramp_tolerance_rad", "longest_step_s"):
            if not 0.0 < getattr(self, label) < float("inf"):
                raise ConfigError(f"{label} {getattr(self, label)} must be finite and above zero")
        if not 0.0 < self.ramp_velocity_scale <= 1.0:
            raise ConfigError(f"ramp_velocity_scale {self.ramp_velocity_scale} is outside 0..1")
        if self.longest_step_s < 1.0 / self.rate_hz:
            raise ConfigError(
                f"longest_step_s {self.longest_step_s} is shorter than the period of "
                f"{self.rate_hz:g} commands a second"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> CommandConfig:
        """Build from flat keys, those of the watchdog among them.

        Raises:
            ConfigError: A key is unknown or a value is of the wrong kind.
        """
        own = {f.name for f in fields(cls)} - {"watchdog"}
        dog = {f.name for f in fields(WatchdogConfig)}
        for key, value in values.items():
            if key not in own | dog:
                raise unknown_choice("command setting", key, sorted(own | dog))
            wants_bool = key in ("auto_engage", "start_without_measured")
            if isinstance(value, bool) != wants_bool or not isinstance(value, bool | int | float):
                kind = "true or false" if wants_bool else "a number"
                raise ConfigError(f"command setting {key} is {value!r}; {kind} is needed")
        watchdog = WatchdogConfig(**{k: float(v) for k, v in values.items() if k in dog})  # type: ignore[arg-type]
        return cls(watchdog=watchdog, **{k: v for k, v in values.items() if k in own})  # type: ignore[arg-type]
