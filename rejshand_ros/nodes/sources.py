"""Where camera images come from: a video file, a folder of images, or a device. Knows no ROS."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

# FFmpeg and OpenCV write pages to stderr about a damaged file; ours is one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
# Seconds after which a camera that gives nothing counts as lost.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MediaError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
KINDS = "a video file, a folder of images, a device such as /dev/video0"
_DEFAULT_FPS = 30.0
_FPS_RANGE = (0.5, 480.0)


@dataclass(frozen=True)
class Frame:
    """One camera image.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        captured_ns: When a live camera took it, nanoseconds of the system clock; None where the
            time is a matter of schedule.
    """

    image: NDArray[np.uint8]
    captured_ns: int | None = None


class FrameSource(ABC):
    """A camera, real or played.

    Attributes:
        name: What was opened.
        fps: Images a second.
        live: Whether it sets the pace itself.
        width: Pixels.
        height: Pixels.
    """

    name: str
    fps: float
    live: bool
    width: int
    height: int

    @abstractmethod
    def read(self) -> Frame | None:
        """The next image; None at the end.

        Raises:
            MediaError: It should be there but cannot be read.
        """

    @abstractmethod
    def rewind(self) -> None:
        """Start again from the first image.

        Raises:
            MediaError: It is not there any more.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or device."""


class VideoFile(FrameSource):
    """A video file, image by image."""

    live = False

    def __init__(self, path: Path, fps: float = 0.0) -> None:
        """Open a video.

        Args:
            path: The file.
            fps: Rate to play at; 0 for the file's own.

        Raises:
            MediaError: Missing, unreadable, or without images.
        """
        self.name = str(path)
        self._capture, first = self._open()
        self._first: Frame | None = first
        self.height, self.width = first.image.shape[:2]
        own = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps or (own if _FPS_RANGE[0] <= own <= _FPS_RANGE[1] else _DEFAULT_FPS)

    def _open(self) -> tuple[cv2.VideoCapture, Frame]:
        """The opened file and its first image."""
        if not Path(self.name).is_file():
            raise MediaError(f"no video at {self.name}; valid: {KINDS}")
        # One decoding thread is fast enough and leaves the cores to the network.
        capture = cv2.VideoCapture(self.name, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        good, image = capture.read() if capture.isOpened() else (False, None)
        if not good:
            capture.release()
            raise MediaError(f"{self.name} cannot be read as a video; valid: {KINDS}")
        return capture, Frame(np.asarray(image, np.uint8))

    def _decode(self) -> Frame | None:
        good, image = self._capture.read()
        return Frame(np.asarray(image, np.uint8)) if good else None

    def read(self) -> Frame | None:
        """The next image; None at the end."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return self._decode()

    def rewind(self) -> None:
        """Open the file again: it may have been replaced, or be gone.

        Raises:
            MediaError: It is gone, or damaged.
        """
        self._capture.release()
        self._capture, self._first = self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()


class ImageFolder(FrameSource):
    """A folder of images, in the order of their names."""

    live = False

    def __init__(self, folder: Path, fps: float = 0.0) -> None:
        """List a folder.

        Raises:
            MediaError: It holds no readable image.
        """
        self.name = str(folder)
        self._paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not self._paths:
            raise MediaError(f"{folder} holds no image; valid: {', '.join(IMAGE_SUFFIXES)}")
        self.fps = fps or _DEFAULT_FPS
        self._next = 0
        first = self._load(self._paths[0])
        self.height, self.width = first.shape[:2]

    def _load(self, path: Path) -> NDArray[np.uint8]:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise MediaError(f"{path} cannot be read as an image")
        return np.asarray(image, np.uint8)

    def read(self) -> Frame | None:
        """The next image; None at the end. All must have the size of the first."""
        if self._next >= len(self._paths):
            return None
        path = self._paths[self._next]
        self._next += 1
        image = self._load(path)
        if image.shape[:2] != (self.height, self.width):
            raise MediaError(
                f"{path} is {image.shape[1]} x {image.shape[0]}, the first image "
                f"{self.width} x {self.height}; one camera has one size"
            )
        return Frame(image)

    def rewind(self) -> None:
        """Start again from the first image."""
        self._next = 0

    def close(self) -> None:
        """Nothing stays open between images."""


class Webcam(FrameSource):
    """A camera attached to this computer."""

    live = True

    def __init__(self, device: str, width: int = 0, height: int = 0, fps: float = 0.0) -> None:
        """Open a device.

        Args:
            device: Path such as ``/dev/video0``, or its number.
            width: Wanted width, pixels; 0 for the device's own.
            height: Wanted height, pixels; 0 for the device's own.
            fps: Wanted rate; 0 for the device's own.

        Raises:
            MediaError: It is missing or gives no image.
        """
        self.name = device
        if not device.isdigit() and not Path(device).exists():
            found = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
            raise MediaError(f"no camera at {device}; attached: {found}")
        self._capture = cv2.VideoCapture(int(device) if device.isdigit() else device, cv2.CAP_V4L2)
        # Compressed on the wire: uncompressed, most webcams reach 30 Hz only at small sizes.
        self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        # The driver queues images otherwise, each of them old by the time it is read.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for key, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, width),
            (cv2.CAP_PROP_FRAME_HEIGHT, height),
            (cv2.CAP_PROP_FPS, fps),
        ):
            if value:
                self._capture.set(key, value)
        good, image = self._capture.read()
        if not good:
            self._capture.release()
            raise MediaError(f"camera {device} gives no image; is another program using it?")
        self.height, self.width = image.shape[:2]
        own = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = own if _FPS_RANGE[0] <= own <= _FPS_RANGE[1] else _DEFAULT_FPS

    def read(self) -> Frame | None:
        """The next image; blocks until the camera has it."""
        if not self._capture.grab():
            raise MediaError(f"camera {self.name} stopped giving images; is it unplugged?")
        # Taken before decoding, which is no part of the capture.
        captured_ns = time.time_ns()
        good, image = self._capture.retrieve()
        if not good:
            raise MediaError(f"camera {self.name} gave an image that cannot be read")
        return Frame(np.asarray(image, np.uint8), captured_ns)

    def rewind(self) -> None:
        """A camera has no beginning."""

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


def open_source(given: str, *, fps: float = 0.0, width: int = 0, height: int = 0) -> FrameSource:
    """Open whatever was given.

    Args:
        given: Path of a video, of a folder of images, or of a device, or a device's number.
        fps: Images a second; 0 for the source's own.
        width: Wanted width of a device, pixels; 0 for its own.
        height: Wanted height of a device, pixels; 0 for its own.

    Raises:
        MediaError: It is missing or cannot be read.
    """
    if not given:
        raise MediaError(f"no camera input was given; valid: {KINDS}")
    if given.isdigit() or given.startswith("/dev/"):
        return Webcam(given, width, height, fps)
    path = Path(given).expanduser()
    if path.is_dir():
        return ImageFolder(path, fps)
    return VideoFile(path, fps)
