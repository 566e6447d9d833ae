"""preview.mp4 and preview.png: the camera with the overlaid hand beside the robot hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import MediaError, RecordingError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.images import image_topic
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.viewing.colours import phase_rgb
from rejshand_ros.viewing.live import LiveState
from rejshand_ros.viewing.overlay import draw_skeleton
from rejshand_ros.viewing.robot_view import RobotRenderer
from rejshand_ros.viewing.timeline import HandMoment, Moment, moments
from rejshand_ros.viewing.video import VideoWriter
from rejshand_ros.viewing.words import headline

Image = NDArray[np.uint8]
Bgr = tuple[int, int, int]

_STRIP_SHARE = 1 / 10
"""Height of the words below the pictures, of the pictures' own."""
_STRIP_BGR, _WORDS_BGR, _QUIET_BGR = (31, 29, 27), (240, 240, 240), (160, 155, 150)


@dataclass(frozen=True)
class PreviewConfig:
    """How the preview looks.

    Attributes:
        height: Height of the video, words included, pixels; even.
        rate_hz: Most images a second; every n-th camera image is taken to stay below.
        longest_s: Of a longer episode its last seconds are shown.
    """

    height: int = 534
    rate_hz: float = 15.0
    longest_s: float = 60.0


@dataclass(frozen=True)
class PreviewFiles:
    """Where the preview was written.

    Attributes:
        video: preview.mp4.
        picture: preview.png.
        images: Number of images in the video.
    """

    video: Path
    picture: Path
    images: int


def _fit_height(image: Image, height: int) -> Image:
    width = 2 * round(image.shape[1] * height / image.shape[0] / 2)
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _strip(width: int, height: int, words: str, colour: Bgr, aside: str) -> Image:
    """A line of words: a coloured dot, what it means, and something aside."""
    strip = np.full((height, width, 3), _STRIP_BGR, np.uint8)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, height / 82
    base = round(height * 0.62)
    cv2.circle(strip, (round(height * 0.5), height // 2), round(height * 0.14), colour, -1,
               cv2.LINE_AA)  # fmt: skip
    cv2.putText(strip, words, (height, base), font, size, _WORDS_BGR, 1, cv2.LINE_AA)
    length = cv2.getTextSize(aside, font, size, 1)[0][0]
    place = (width - length - round(height * 0.3), base)
    cv2.putText(strip, aside, place, font, size, _QUIET_BGR, 1, cv2.LINE_AA)
    return strip


def _robot_panel(hand: HandMoment, render: RobotRenderer | None, height: int, strip: int) -> Image:
    state = LiveState(hand.phase, "") if hand.phase else None
    if render is None or hand.positions is None:
        panel = np.full((height, height, 3), 40, np.uint8)
        words, aside = f"{hand.side}: no joint states yet", ""
    else:
        panel = _fit_height(np.array(render(hand.joint_names, hand.positions)), height)
        words = headline(state) if state else "Waiting"
        aside = "" if hand.latency_s is None else f"{1e3 * hand.latency_s:.0f} ms after the image"
    colour = phase_rgb(hand.phase)[::-1]
    return np.vstack([panel, _strip(panel.shape[1], strip, words, colour, aside)])


def compose(moment: Moment, renderers: Mapping[Side, RobotRenderer], height: int) -> Image:
    """One picture: the camera image with skeletons, then a robot hand a side.

    Args:
        moment: The image and what belongs to it.
        renderers: How to draw each side's robot hand.
        height: Of the picture, pixels; a tenth of it holds words.
    """
    strip = 2 * round(height * _STRIP_SHARE / 2)
    picture = height - strip
    camera = moment.image.copy()
    for hand in moment.hands:
        if hand.keypoints_2d is not None:
            draw_skeleton(camera, hand.keypoints_2d, faded=not hand.seen)
    camera = _fit_height(camera, picture)
    seen = any(hand.seen for hand in moment.hands)
    words = ", ".join(
        f"{hand.side} hand {'seen' if hand.seen else 'not seen'}" for hand in moment.hands
    )
    colour = phase_rgb("tracking" if seen else "")[::-1]
    size = f"{moment.image.shape[1]} x {moment.image.shape[0]}"
    line = _strip(camera.shape[1], strip, (words or "no hand yet").capitalize(), colour, size)
    panels = [_robot_panel(hand, renderers.get(hand.side), picture, strip) for hand in moment.hands]
    return np.ascontiguousarray(np.hstack([np.vstack([camera, line]), *panels]))


def _interest(moment: Moment) -> float:
    """How much a moment is worth showing: hands seen, fingers spread, robot following."""
    value = 0.0
    for hand in moment.hands:
        if hand.seen and hand.keypoints_2d is not None and hand.positions is not None:
            spread = np.ptp(hand.keypoints_2d, axis=0).max() / moment.image.shape[0]
            value += 2.0 * hand.score + float(min(spread, 0.5))
            value += 0.5 if hand.phase == "tracking" else 0.0
    return value


def write_preview(
    episode: Path,
    out: Path,
    renderers: Mapping[Side, RobotRenderer],
    config: PreviewConfig = PreviewConfig(),
) -> PreviewFiles:
    """Make preview.mp4 and preview.png of a recorded episode.

    Args:
        episode: The episode's folder.
        out: Folder for the files.
        renderers: How to draw each side's robot hand.
        config: How they look.

    Raises:
        RecordingError: The episode holds no images.
        MediaError: A file cannot be written.
    """
    video_path, picture_path = out / "preview.mp4", out / "preview.png"
    best: tuple[float, Image] | None = None
    writer: VideoWriter | None = None
    images = 0
    with EpisodeReader(episode) as reader:
        every, rate_hz = _decimation(reader, config)
        try:
            for moment in moments(reader, every=every, longest_s=config.longest_s):
                frame = compose(moment, renderers, config.height)
                if writer is None:
                    writer = VideoWriter(video_path, frame.shape[1], frame.shape[0], rate_hz)
                    width = frame.shape[1]
                if frame.shape[1] != width:  # a second hand may appear later
                    frame = np.asarray(cv2.resize(frame, (width, config.height)), np.uint8)
                writer.write(frame)
                images += 1
                interest = _interest(moment)
                if best is None or interest > best[0]:
                    best = (interest, frame)
        except BaseException as error:
            if writer is not None:
                writer.__exit__(type(error), error, error.__traceback__)
            raise
    if writer is None or best is None:
        raise RecordingError(f"{episode} holds no images to show")
    writer.close()
    if not cv2.imwrite(str(picture_path), best[1]):
        raise MediaError(f"cannot write {picture_path}")
    return PreviewFiles(video_path, picture_path, images)


def _decimation(reader: EpisodeReader, config: PreviewConfig) -> tuple[int, float]:
    """Take each n-th image, and the rate that this gives."""
    received = [entry[2] for entry in reader.serialised([image_topic(reader)])]
    period_s = float(np.median(np.diff(received))) * 1e-9 if len(received) > 1 else 1.0
    camera_hz = min(max(1.0 / max(period_s, 1e-3), 1.0), 240.0)
    every = max(1, round(camera_hz / config.rate_hz))
    return every, camera_hz / every
