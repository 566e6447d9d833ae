"""One rendered crop with its truth, and the settings by which crops are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import Side


@dataclass(frozen=True)
class SyntheticConfig:
    """How crops are drawn.

    Attributes:
        seed: Of everything; a sample depends on it and on its own number alone.
        size: Side of a crop, pixels.
        box_scale: Range of the crop's side over the square hull of the 21 keypoints.
        centre_jitter: Greatest shift of the crop's middle, share of the hull's side.
        left_share: Share of hands shown as left hands, unmirrored, 0..1.
        negative_share: Share of crops without a hand, 0..1.
        held_share: Share of hands that hold something.
        passing_share: Share of hands behind something.
        behind_share: Share of crops with something behind the hand.
        second_hand_share: Share of crops that show a part of another hand.
        forearm_share: Share of hands with a forearm; the others end at the wrist.
        shadow_share: Share of lamps that throw shadows.
        effects: Strength of blur, noise, colour cast and compression, 0..1.
        background_folder: Pictures without hands (.jpg, .png) to use as backgrounds, besides
            the procedural ones.
        photograph_share: Share of backgrounds taken from that folder.
        backgrounds: How many procedural backgrounds are kept and cut from.
        uniform_pose_share: Share of poses drawn evenly over the joint limits.
        side_view_share: Share of hands seen from the thumb's or the little finger's side, besides
            those that any direction of view brings.
    """

    seed: int = 0
    size: int = 128
    box_scale: tuple[float, float] = (1.25, 1.875)
    centre_jitter: float = 0.1
    left_share: float = 0.1
    negative_share: float = 0.06
    held_share: float = 0.2
    passing_share: float = 0.12
    behind_share: float = 0.2
    second_hand_share: float = 0.06
    forearm_share: float = 0.9
    shadow_share: float = 0.75
    effects: float = 1.0
    background_folder: Path | None = None
    photograph_share: float = 0.6
    backgrounds: int = 400
    uniform_pose_share: float = 0.35
    side_view_share: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in (
            "left_share", "negative_share", "held_share", "passing_share", "behind_share",
            "second_hand_share", "forearm_share", "shadow_share", "effects", "photograph_share",
            "uniform_pose_share", "side_view_share",
        ):  # fmt: skip
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"synthetic {name} {value}; 0..1 valid")
        low, high = self.box_scale
        if not 1.0 <= low <= high:
            raise ConfigError(f"synthetic box_scale {self.box_scale}; 1 <= low <= high valid")
        if self.size < 16 or self.backgrounds < 1 or self.centre_jitter < 0:
            raise ConfigError(
                f"synthetic size {self.size}, backgrounds {self.backgrounds}, centre_jitter "
                f"{self.centre_jitter}; at least 16, 1 and 0"
            )


@dataclass(frozen=True)
class SyntheticSample:
    """A crop with its truth, in the axes of the crop's own camera.

    A left hand is shown as it is: its keypoints and vertices are those of the picture. To make
    it the right hand that the network expects, flip the picture, set u to 1 - u and x to -x.

    Attributes:
        image: (S, S, 3) uint8 BGR.
        keypoints_2d: (21, 2) 0..1 from the crop's left or top edge to the opposite one; zeros
            without a hand. May lie outside of 0..1.
        keypoints_3d: (21, 3) metres relative to keypoint 9.
        vertices: (778, 3) metres relative to keypoint 9.
        root: (3,) metres, keypoint 9 in crop-camera axes.
        matrix: (3, 3) intrinsics of the crop's camera, pixels.
        presence: Whether there is a hand.
        side: The hand that the picture shows, None without one.
        visible: (21,) whether each keypoint's place is not hidden by other things or other parts
            of the hand (to within 2 cm) and lies in the crop.
    """

    image: NDArray[np.uint8]
    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    root: Array
    matrix: Array
    presence: bool
    side: Side | None
    visible: NDArray[np.bool_]
