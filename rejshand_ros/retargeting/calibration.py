"""A person's hand against a robot's: per-finger scale and offset, saved as a YAML a person."""

from __future__ import annotations

from dataclasses import dataclass

from rejshand_ros.geometry import Array


@dataclass(frozen=True)
class FingerFit:
    """How a human finger maps to a robot's: robot = scale * human + offset, operator frame.

    Attributes:
        scale: Robot metres for a human metre.
        offset: (3,) metres.
    """

    scale: float
    offset: Array


@dataclass(frozen=True)
class Calibration:
    """A person's measures for one robot hand.

    Attributes:
        fingers: Finger name -> its fit.
    """

    fingers: dict[str, FingerFit]
