"""A person's hand against a robot's: per-finger scale and offset, saved as a YAML a person."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import FINGERS, Side
from rejshand_ros.retargeting.fields import Fields
from rejshand_ros.yaml_file import read_yaml

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class FingerFit:
    """How a human finger maps to a robot's: robot = scale * human + offset, operator frame.

    Attributes:
        length_m: Of the human finger, from its base to its tip, metres.
        scale: Robot metres for a human metre.
        offset: (3,) metres.
    """

    length_m: float
    scale: float
    offset: Array


@dataclass(frozen=True)
class Calibration:
    """A person's measures for one robot hand.

    Attributes:
        person: Name: letters, digits, - and _.
        hand: Robot hand.
        side: Side of the hand.
        quality: 0 (useless) to 1 (an open hand, held still, seen all the time).
        fingers: Finger name -> its fit.
    """

    person: str
    hand: str
    side: Side
    quality: float
    fingers: dict[str, FingerFit]


def check_person(person: str) -> str:
    """The name, if it can name a file.

    Raises:
        InputError: It cannot.
    """
    if not _NAME.fullmatch(person):
        raise InputError(f"person {person!r}; valid: 1 to 64 letters, digits, - and _")
    return person


def calibration_path(person: str, hand: str, side: Side | str) -> Path:
    """Where a person's calibration is kept: below $XDG_CONFIG_HOME or ~/.config."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "rejshand/calibration" / f"{check_person(person)}_{hand}_{side}.yaml"


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration, folder included; a reader never sees half of it."""
    content = {
        "person": calibration.person,
        "hand": calibration.hand,
        "side": str(calibration.side),
        "quality": round(calibration.quality, 4),
        "fingers": {
            finger: {
                "length_m": round(fit.length_m, 5),
                "scale": round(fit.scale, 5),
                "offset_m": [round(float(v), 5) for v in fit.offset],
            }
            for finger, fit in calibration.fingers.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    part.replace(path)


def load_calibration(path: Path, hand: str, side: Side | str) -> Calibration:
    """Read a person's calibration.

    Args:
        path: The YAML.
        hand: Robot hand that it must be for.
        side: Side that it must be for.

    Raises:
        ConfigError: It is missing, wrong, or for another hand.
    """
    fingers = {}
    with Fields(read_yaml(path), path.name) as fields:
        with fields.section("fingers") as section:
            for finger in section.names():
                with section.section(finger) as part:
                    if finger not in FINGERS:
                        raise part.fail(f"unknown finger; valid: {', '.join(FINGERS)}")
                    fingers[finger] = FingerFit(
                        part.number("length_m", above=0, most=0.3),
                        part.number("scale", above=0, most=10),
                        part.vector("offset_m"),
                    )
        person = fields.text("person")
        given = (fields.text("hand"), fields.text("side"))
        quality = fields.number("quality", least=0, most=1)
    if given != (hand, str(side)):
        raise ConfigError(f"{path.name} is for {' '.join(given)}; {hand} {side} is needed")
    return Calibration(person, hand, Side(side), quality, fingers)
