"""Single keys from a terminal, which is left as it was found."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self

from rejshand_ros.errors import ConfigError


class TerminalKeys:
    """Hands over each key as it is pressed, without echo; a context manager.

    Ctrl-C still interrupts.
    """

    def __init__(self, descriptor: int | None = None, otherwise: str = "") -> None:
        """Choose the terminal.

        Args:
            descriptor: Of the terminal; None for the standard input.
            otherwise: What to use where there is none, for the error.

        Raises:
            ConfigError: It is no terminal, as in a launch file or a pipe.
        """
        try:
            self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        except (OSError, ValueError, AttributeError):
            self._descriptor = -1
        if self._descriptor < 0 or not os.isatty(self._descriptor):
            raise ConfigError(
                "the standard input is no terminal, so there are no keys to read"
                + (f"; {otherwise}" if otherwise else "")
            )
        self._before = termios.tcgetattr(self._descriptor)

    def __enter__(self) -> Self:
        """Begin to hand over keys."""
        tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was; one that has gone needs nothing."""
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    def read(self, timeout_s: float) -> str:
        """The key pressed, or nothing when the time is over.

        Raises:
            EOFError: The terminal has gone.
        """
        ready, _, _ = select.select([self._descriptor], [], [], timeout_s)
        if not ready:
            return ""
        try:
            data = os.read(self._descriptor, 1)
        except OSError:
            data = b""
        if not data:
            raise EOFError("the terminal has gone")
        return data.decode("latin-1")
