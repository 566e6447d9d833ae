"""Settings of the command room."""

from __future__ import annotations

from dataclasses import dataclass, field

from rejshand_ros.command.watchdog import WatchdogConfig
from rejshand_ros.errors import ConfigError


@dataclass(frozen=True)
class CommandConfig:
    """How a hand is commanded.

    Attributes:
        rate_hz: Commands a second, independent of the camera's rate.
        auto_engage: A fresh target engages by itself, unless the operator disengaged or stopped.
        start_without_measured: The first command may start at the first target where the hand's
            own positions are unknown. Off, there is no command before the hand has been measured.
        start_tolerance_rad: There is no first command while a joint is measured further than this
            beyond its limits.
        ramp_velocity_scale: Share of the velocity limits with which a ramp begins, 0..1.
        ramp_time_s: The share grows to the whole over this time; a ramp then ends at the latest.
        ramp_tolerance_rad: A ramp ends once every joint is this close to its target.
        longest_step_s: A longer pause between two commands is a gap: the hand ramps again.
        watchdog: Ages of input.
    """

    rate_hz: float = 100.0
    auto_engage: bool = False
    start_without_measured: bool = False
    start_tolerance_rad: float = 0.5
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
        if not self.start_tolerance_rad >= 0.0:
            raise ConfigError(f"start_tolerance_rad {self.start_tolerance_rad} is below zero")
        if self.longest_step_s < 1.0 / self.rate_hz:
            raise ConfigError(
                f"longest_step_s {self.longest_step_s} is shorter than the period of "
                f"{self.rate_hz:g} commands a second"
            )
