"""What the network says of one crop."""

from __future__ import annotations

from dataclasses import dataclass

from rejshand_ros.geometry import Array


@dataclass(frozen=True)
class CropEstimate:
    """The hand in one crop, always as a right hand (left ones come mirrored).

    Attributes:
        keypoints_2d: (21, 2) in the crop, 0..1 from its left or top edge to the opposite one.
        keypoints_3d: (21, 3) metres, axes of the crop's virtual camera, relative to the wrist.
        vertices: (778, 3) metres, same axes and origin; (0, 3) from what knows no mesh.
        presence: Probability that the crop holds a hand, 0..1.
        right_probability: Probability that the crop, as given, shows a right hand, 0..1.
    """

    keypoints_2d: Array
    keypoints_3d: Array
    vertices: Array
    presence: float
    right_probability: float
