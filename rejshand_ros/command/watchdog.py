"""How old the input is, and whether it may still be followed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rejshand_ros.errors import ConfigError


class InputAge(Enum):
    """What the age of the last accepted target allows."""

    NONE = "none"
    FRESH = "fresh"
    STALE = "stale"
    EXPIRED = "expired"


@dataclass(frozen=True)
class WatchdogConfig:
    """Ages of input, seconds.

    Attributes:
        hold_after_s: An input that arrived longer ago is no longer followed: the command holds
            at this age at the latest.
        disengage_after_s: An input that arrived longer ago ends the engagement.
        max_capture_age_s: A target whose image was taken longer before its arrival is refused;
            zero switches the check off (capture stamps of an unsynchronised clock).
        max_capture_lead_s: A target whose image was taken further in the future is refused;
            zero switches the check off.
    """

    hold_after_s: float = 0.1
    disengage_after_s: float = 2.0
    max_capture_age_s: float = 0.5
    max_capture_lead_s: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.hold_after_s < self.disengage_after_s:
            raise ConfigError(
                f"hold_after {self.hold_after_s} s and disengage_after {self.disengage_after_s} s: "
                "0 < hold_after < disengage_after is needed"
            )
        for label in ("max_capture_age_s", "max_capture_lead_s"):
            if not getattr(self, label) >= 0.0:
                raise ConfigError(f"{label} {getattr(self, label)} must be zero or more")


class InputWatchdog:
    """Judges the age of the input from explicit times; knows no clock of its own."""

    def __init__(self, config: WatchdogConfig, period_s: float = 0.0) -> None:
        """Create a watchdog that has seen no input.

        Args:
            config: Ages.
            period_s: Time between two commands. The hand goes on following a command until the
                next one, so the last that follows an input comes one period before its time.
        """
        self._config = config
        # Where commands are rarer than that, half of the time remains for following.
        self._fresh_s = config.hold_after_s - min(period_s, 0.5 * config.hold_after_s)
        self._arrival_ns: int | None = None

    def refusal(self, capture_ns: int, now_ns: int) -> str:
        """Why a target with this capture stamp must not be followed; empty where it may be."""
        if capture_ns < 0:
            return f"its capture stamp {capture_ns} ns is no time"
        age_s = (now_ns - capture_ns) * 1e-9
        oldest, lead = self._config.max_capture_age_s, self._config.max_capture_lead_s
        if oldest and age_s > oldest:
            return f"its image is {age_s:.3f} s old (at most {oldest:g} s)"
        if lead and -age_s > lead:
            return f"its image lies {-age_s:.3f} s in the future (at most {lead:g} s)"
        return ""

    def accept(self, now_ns: int) -> None:
        """Note that an input was accepted now."""
        self._arrival_ns = now_ns

    def forget(self) -> None:
        """Forget the input, as after a jump of the clock."""
        self._arrival_ns = None

    def age_s(self, now_ns: int) -> float | None:
        """Seconds since the last accepted input; None without one."""
        return None if self._arrival_ns is None else (now_ns - self._arrival_ns) * 1e-9

    def judge(self, now_ns: int) -> InputAge:
        """What the age allows at this time; an input from the future counts as none."""
        age_s = self.age_s(now_ns)
        if age_s is None or age_s < 0:
            return InputAge.NONE
        if age_s > self._config.disengage_after_s:
            return InputAge.EXPIRED
        return InputAge.STALE if age_s > self._fresh_s else InputAge.FRESH
