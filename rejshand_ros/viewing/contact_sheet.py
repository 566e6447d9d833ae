"""One picture that shows a whole episode."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from rejshand_ros.errors import MediaError, RecordingError
from rejshand_ros.recording.images import image_topic
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.viewing.overlay import draw_label, draw_skeleton
from rejshand_ros.viewing.timeline import moments


def write_contact_sheet(
    episode: Path, path: Path, *, columns: int = 4, rows: int = 4, width: int = 320
) -> Path:
    """Draw evenly spaced images of an episode with their skeletons.

    Args:
        episode: The episode's folder.
        path: Picture to write; its ending names the format.
        columns: Images beside each other.
        rows: Images below each other.
        width: Of one image, pixels.

    Raises:
        RecordingError: The episode holds no images.
        MediaError: The picture cannot be written.
    """
    tiles = []
    with EpisodeReader(episode) as reader:
        count = reader.message_counts[image_topic(reader)]
        every = max(1, -(-count // (columns * rows)))
        first_ns = None
        for moment in moments(reader, every=every):
            first_ns = first_ns or moment.stamp_ns
            image = moment.image.copy()
            for hand in moment.hands:
                if hand.keypoints_2d is not None:
                    draw_skeleton(image, hand.keypoints_2d, faded=not hand.seen)
            height = round(image.shape[0] * width / image.shape[1])
            tile = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
            seconds = (moment.stamp_ns - first_ns) * 1e-9
            words = " ".join(f"{hand.side} {hand.phase}".strip() for hand in moment.hands)
            tiles.append(draw_label(tile.astype(np.uint8), [f"{seconds:.1f} s {words}"], (4, 4)))
    if not tiles:
        raise RecordingError(f"{episode} holds no images to show")
    blank = np.full_like(tiles[0], 40)
    columns = min(columns, len(tiles))
    tiles += [blank] * (-len(tiles) % columns)
    lines = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), np.concatenate(lines, 0)):
        raise MediaError(f"cannot write {path}")
    return path
