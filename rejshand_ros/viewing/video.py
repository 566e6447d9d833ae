"""Write H.264 video that browsers play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, MediaError

_CHROMA = (
    np.array([[112.0, -74.203, -37.797, 0.0], [-18.214, -93.786, 112.0, 0.0]]) / 255.0
) + np.array([0.0, 0.0, 0.0, 128.0])
"""(2, 4): Cb and Cr of (blue, green, red, 1), ITU-R BT.601 in studio range."""


def to_yuv420p(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Planes Y, Cb and Cr of a BGR image (height, width, 3), as PyAV takes them.

    ffmpeg's own conversion rounds Cb and Cr down, which gives a green tint, or takes twice as long.

    Returns:
        (3/2 height, width).
    """
    height, width = image.shape[:2]
    luma = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)[:height]
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    chroma = cv2.split(cv2.transform(half, _CHROMA))
    planes = np.concatenate([luma.ravel(), *(plane.ravel() for plane in chroma)])
    return planes.reshape(height * 3 // 2, width)


class VideoWriter:
    """An MP4 being written; a context manager. It appears under its name when complete."""

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        rate_hz: float,
        *,
        quality: int = 23,
        options: dict[str, str] | None = None,
    ) -> None:
        """Open the file.

        Args:
            path: File to write, ending in .mp4.
            width: Image width, pixels; even.
            height: Image height, pixels; even.
            rate_hz: Images a second.
            quality: x264's constant rate factor, 0 (lossless) to 51.
            options: Further options of x264 by name.

        Raises:
            InputError: The size is not even.
            MediaError: The file cannot be written.
        """
        if width % 2 or height % 2:
            raise InputError(f"video size {width}x{height} is odd; H.264 needs even numbers")
        self._path = path
        self._temporary = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(self._temporary), "w", format="mp4")
        except (OSError, av.FFmpegError) as error:
            raise MediaError(f"cannot write video {path}: {error}") from error
        stream = self._container.add_stream(
            "libx264",
            rate=Fraction(rate_hz).limit_denominator(1001),
            options={"crf": str(quality), "preset": "veryfast", **(options or {})},
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        self._stream = stream

    def write(self, image: NDArray[np.uint8]) -> None:
        """Append one BGR image (height, width, 3)."""
        if image.shape != (self._stream.height, self._stream.width, 3) or image.dtype != np.uint8:
            raise InputError(
                f"image is {image.shape} {image.dtype}; this video takes "
                f"({self._stream.height}, {self._stream.width}, 3) uint8"
            )
        frame = av.VideoFrame.from_ndarray(to_yuv420p(image), format="yuv420p")
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Complete the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._temporary.replace(self._path)

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the file, or remove it if the body raised."""
        if error is None:
            self.close()
        else:
            self._container.close()
            self._temporary.unlink(missing_ok=True)
