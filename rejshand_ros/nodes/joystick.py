"""Buttons of a joystick: what was pressed just now, not what is held down."""

from __future__ import annotations

from sensor_msgs.msg import Joy


class Buttons:
    """Remembers which buttons were down, so that each press counts once."""

    def __init__(self) -> None:
        """Begin without knowing which buttons are down."""
        self._down: frozenset[int] | None = None

    @property
    def down(self) -> frozenset[int]:
        """The buttons that were down in the last message, by number."""
        return self._down or frozenset()

    def pressed(self, message: Joy) -> frozenset[int]:
        """The buttons that went down since the message before, by number.

        None in the first message: a button that sticks, or was held already, is no decision.
        """
        down = frozenset(index for index, value in enumerate(message.buttons) if value)
        new = frozenset() if self._down is None else down - self._down
        self._down = down
        return new
