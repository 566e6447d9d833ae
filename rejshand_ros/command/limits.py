"""Limits of a hand's joints, and the check of names between us and whoever is on the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import Array


@dataclass(frozen=True)
class JointLimits:
    """What each joint of a robot hand may be asked to do.

    Attributes:
        names: (n,) joint names; every array of the command room is in this order.
        lower: (n,) radians.
        upper: (n,) radians, each above `lower`.
        velocity: (n,) radians a second, positive.
        acceleration: (n,) radians a second squared, positive.
    """

    names: tuple[str, ...]
    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        count = len(self.names)
        if count == 0:
            raise ConfigError("joint limits name no joint; at least one is needed")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise ConfigError(f"joint names given twice: {', '.join(repeated)}")
        for label in ("lower", "upper", "velocity", "acceleration"):
            # A copy, so that nobody can widen a limit later.
            values = np.array(getattr(self, label), float)
            if values.shape != (count,):
                raise ConfigError(f"{label} limits have shape {values.shape}; ({count},) is needed")
            if not np.all(np.isfinite(values)):
                bad = self._names_where(~np.isfinite(values))
                raise ConfigError(f"{label} limit of {bad} is not a finite number")
            values.setflags(write=False)
            object.__setattr__(self, label, values)
        if np.any(self.lower >= self.upper):
            index = int(np.argmax(self.lower >= self.upper))
            raise ConfigError(
                f"position limits of joint {self.names[index]} are reversed or empty: lower "
                f"{self.lower[index]:g}, upper {self.upper[index]:g} rad; lower < upper is needed"
            )
        for label in ("velocity", "acceleration"):
            values = getattr(self, label)
            if np.any(values <= 0):
                bad_names = self._names_where(values <= 0)
                raise ConfigError(f"{label} limit of {bad_names} must be above zero")

    def _names_where(self, mask: np.ndarray) -> str:
        return ", ".join(name for name, hit in zip(self.names, mask, strict=True) if hit)

    def checked(self, positions: ArrayLike, what: str) -> Array:
        """A copy of joint positions (n,) after a check of their shape; values are not judged.

        Args:
            positions: (n,) radians.
            what: Name for the error, e.g. ``"joint target"``.

        Raises:
            InputError: Another number of joints.
        """
        values = np.array(positions, float)
        if values.shape != (len(self.names),):
            raise InputError(
                f"{what} has shape {values.shape}; this hand has {len(self.names)} joints: "
                f"{', '.join(self.names)}"
            )
        return values

    def clip(self, positions: ArrayLike) -> Array:
        """Positions (n,) moved inside the position limits, radians."""
        return np.clip(np.asarray(positions, float), self.lower, self.upper)

    def beyond(self, positions: Array, tolerance_rad: float) -> str:
        """Which joint of positions (n,) is further beyond its limits, in words; empty: none."""
        outside = np.abs(positions - self.clip(positions))
        worst = int(np.argmax(outside))
        if outside[worst] <= tolerance_rad:
            return ""
        return (
            f"joint {self.names[worst]} is measured at {positions[worst]:.3g} rad, "
            f"{outside[worst]:.3g} beyond its limits"
        )


def joint_indices(wanted: Sequence[str], given: Sequence[str], what: str) -> tuple[int, ...]:
    """Where each wanted joint stands among the given ones.

    Args:
        wanted: Names in the order that is needed.
        given: Names as the other side has them.
        what: Who gives them, for the error, e.g. ``"driver allegro_v4"``.

    Raises:
        ConfigError: A joint is missing, unknown or repeated; both lists are shown side by side.
    """
    if len(set(given)) != len(given) or set(given) != set(wanted):
        raise ConfigError(
            f"joints of {what} do not match this hand's: {_side_by_side(wanted, given)}"
        )
    place = {name: index for index, name in enumerate(given)}
    return tuple(place[name] for name in wanted)


def _side_by_side(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """One line that pairs the names by position, so that a shifted order is plain to see."""
    rows = []
    for index in range(max(len(ours), len(theirs))):
        left = ours[index] if index < len(ours) else "(none)"
        right = theirs[index] if index < len(theirs) else "(none)"
        rows.append(f"{left} | {right}")
    return "; ".join(rows) + " (ours | theirs)"
