"""The mesh that a network answers with: the project's own, or MANO's from the user's own file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT
from rejshand_ros.hand.mano import ManoModel
from rejshand_ros.hand.template import VERTEX_COUNT, HandTemplate


@dataclass(frozen=True)
class HandMesh:
    """A right hand at rest, and how its keypoints follow from its vertices.

    Both meshes have 778 vertices, but not the same ones: what learns from vertices of one cannot
    answer with those of the other.

    Attributes:
        name: ``rejshand`` or ``mano``.
        vertices: (778, 3) metres, at rest, axes of the model that they come from.
        faces: (F, 3) int32, wound outwards.
        joint_regressor: (21, 778) rows summing to 1.
    """

    name: str
    vertices: Array
    faces: NDArray[np.int32]
    joint_regressor: Array

    def __post_init__(self) -> None:
        """Check the shapes."""
        given = np.shape(self.vertices), np.shape(self.joint_regressor)
        if given != ((VERTEX_COUNT, 3), (KEYPOINT_COUNT, VERTEX_COUNT)):
            raise InputError(f"hand mesh of shapes {given}; (778, 3) and (21, 778) needed")

    @property
    def rest_keypoints(self) -> Array:
        """(21, 3) metres, the keypoints of the resting hand."""
        return np.asarray(self.joint_regressor @ self.vertices)

    @classmethod
    def of_template(cls, template: HandTemplate) -> HandMesh:
        """The project's own."""
        return cls("rejshand", template.vertices, template.faces, template.joint_regressor)

    @classmethod
    def of_mano(cls, mano: ManoModel) -> HandMesh:
        """MANO's, as the user brought it."""
        return cls("mano", mano.v_template, mano.faces, mano.keypoint_regressor())
