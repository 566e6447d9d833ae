"""The colours that every picture and page of the project shares."""

from __future__ import annotations

Rgb = tuple[int, int, int]

FINGER_RGB: dict[str, Rgb] = {
    "thumb": (245, 135, 66),
    "index": (126, 201, 74),
    "middle": (66, 176, 235),
    "ring": (190, 100, 222),
    "little": (240, 96, 96),
}
PALM_RGB: Rgb = (225, 225, 225)
PHASE_RGB: dict[str, Rgb] = {
    "disengaged": (150, 156, 168),
    "ramping": (240, 200, 80),
    "tracking": (104, 206, 124),
    "holding": (246, 173, 85),
    "stopped": (240, 92, 92),
}
UNKNOWN_RGB: Rgb = (150, 156, 168)
"""Of a state that nobody has told yet."""


def phase_rgb(phase: str) -> Rgb:
    """Colour of a state of the teleoperation."""
    return PHASE_RGB.get(phase, UNKNOWN_RGB)


def css(colour: Rgb) -> str:
    """The colour as a web page writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
