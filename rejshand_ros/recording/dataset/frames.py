"""The images of an aligned episode, one a grid time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.recording.dataset.alignment import AlignedEpisode
from rejshand_ros.recording.images import decode_image
from rejshand_ros.recording.reader import EpisodeReader


def frames(reader: EpisodeReader, episode: AlignedEpisode) -> Iterator[NDArray[np.uint8]]:
    """BGR images (H, W, 3) in grid order; an image stands in again where one was lost.

    Images that arrived out of order are put right as long as they are close together.
    """
    waiting: dict[int, NDArray[np.uint8]] = {}
    last_use = {int(index): at for at, index in enumerate(episode.image_index)}
    position = 0
    for index, item in enumerate(reader.messages([episode.image_topic])):
        if index in last_use:
            waiting[index] = decode_image(item.message, item.msgtype)
        while position < len(episode.image_index):
            needed = int(episode.image_index[position])
            if needed not in waiting:
                break
            yield waiting[needed]
            if last_use[needed] == position:
                del waiting[needed]
            position += 1
