"""Images in the order in which they were taken."""

from __future__ import annotations

from rejshand_ros.errors import InputError

LATE_S = 1.0
"""An image up to this much older than the last one came late; an older one tells of a clock that
was set back, or of a recording that begins anew."""


class CaptureOrder:
    """Refuses images out of their order, and notices a clock that was set back.

    A velocity cannot come from images whose stamps stand still or run backwards, so nothing is
    followed through them. After a step back of up to `LATE_S` the images are refused until the
    clock has caught up with itself.
    """

    def __init__(self) -> None:
        self._last_ns: int | None = None

    def begins_anew(self, stamp_ns: int) -> bool:
        """Take the next image.

        Args:
            stamp_ns: Its capture time, nanoseconds.

        Returns:
            Whether it is so much older than the last one that time has begun anew.

        Raises:
            InputError: The stamp is negative, is the last image's again, or came late.
        """
        if stamp_ns < 0:
            raise InputError(f"image of {stamp_ns * 1e-9:.3f} s; no time is before 1970")
        last_ns = self._last_ns
        if stamp_ns == last_ns:
            raise InputError(
                f"image has the last one's stamp again, {stamp_ns * 1e-9:.3f} s; the camera's "
                "driver must stamp each image when it is taken"
            )
        if last_ns is not None and 0 < last_ns - stamp_ns <= LATE_S * 1e9:
            raise InputError(
                f"image is {(last_ns - stamp_ns) * 1e-9:.3f} s older than the last one"
            )
        self._last_ns = stamp_ns
        return last_ns is not None and stamp_ns < last_ns
