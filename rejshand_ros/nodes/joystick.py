"""Buttons of a joystick: what was pressed just now, not what is held down."""

from __future__ import annotations

from sensor_msgs.msg import Joy


class Buttons:
    """Remembers which buttons were down, so that each press counts once."""

    def __init__(self) -> None:
        """Begin with no button down."""
        self._down: frozenset[int] = frozenset()

    def pressed(self, message: Joy) -> frozenset[int]:
        """The buttons that went down since the message before, by number."""
        down = frozenset(index for index, value in enumerate(message.buttons) if value)
        new = down - self._down
        self._down = down
        return new
