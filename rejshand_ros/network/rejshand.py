"""ReJSHand: the whole network, from crop to hand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from rejshand_ros.geometry import Array
from rejshand_ros.hand.hand_mesh import HandMesh
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST
from rejshand_ros.network.backbone import Adapter, Backbone
from rejshand_ros.network.config import NetworkConfig
from rejshand_ros.network.expansion import Expansion
from rejshand_ros.network.feature_interaction import FeatureInteraction
from rejshand_ros.network.keypoint_generator_2d import KeypointGenerator2D
from rejshand_ros.network.keypoint_generator_3d import KeypointGenerator3D
from rejshand_ros.network.mesh_token import MeshTokenGenerator
from rejshand_ros.network.presence_side import PresenceSide
from rejshand_ros.network.published_head import PublishedKeypointGenerator2D, PublishedMeshHead

_WIDTHS = (256, 128, 64)


class NetworkOutput(NamedTuple):
    """What the network answers for N crops.

    Attributes:
        keypoints_2d: (N, 21, 2) in the crop, 0..1.
        keypoints_3d: (N, 21, 3) metres, axes of the crop's camera, relative to keypoint 9.
        vertices: (N, 778, 3) metres, same axes and origin.
        presence_logit: (N,) of the probability that the crop holds a hand.
        right_logit: (N,) of the probability that the crop, as it is, shows a right hand.
    """

    keypoints_2d: Tensor
    keypoints_3d: Tensor
    vertices: Tensor
    presence_logit: Tensor
    right_logit: Tensor


class ReJSHand(nn.Module):
    """Crops (N, 3, S, S), RGB/255 - 0.5, of right hands to `NetworkOutput`.

    Args:
        config: The architecture.
        mesh: Gives the joint matrix and the mesh at rest.

    Attributes:
        lean_head: What `folding.folded` puts in the place of the paper's blocks; None as trained.
    """

    def __init__(self, config: NetworkConfig, mesh: HandMesh) -> None:
        super().__init__()
        self.config = config
        self.lean_head: nn.Module | None = None
        self.backbone = Backbone(config)
        self.adapter = Adapter(self.backbone.coarse_width, self.backbone.fine_width, config.width)
        if config.head == "published":
            self.keypoint_generator_2d: nn.Module = PublishedKeypointGenerator2D(config.width)
            self.mesh_head = PublishedMeshHead(config.width, config.map_size, config.upsampling)
        else:
            self._add_papers_head(config, mesh)
        self.keypoint_generator_3d = KeypointGenerator3D(mesh.joint_regressor)
        self.presence_side = PresenceSide(config.width)

    def _add_papers_head(self, config: NetworkConfig, mesh: HandMesh) -> None:
        self.keypoint_generator_2d = KeypointGenerator2D(
            config.width,
            config.map_size,
            config.keypoint_maps,
            expected=config.expected_coordinates,
        )
        self.expansion = Expansion(
            config.width, config.upsampling, coordinates=config.joint_coordinates
        )
        self.interaction = nn.ModuleList(
            [FeatureInteraction(width, split=width != _WIDTHS[-1]) for width in _WIDTHS]
        )
        self.mesh_token_generator = MeshTokenGenerator(_rest_mesh(mesh))

    def forward(self, images: Tensor) -> NetworkOutput:
        """Estimate the hand in each crop."""
        features = self.features(images)
        keypoints_2d = self.keypoint_generator_2d(features)
        keypoints_3d, vertices = self.lift(features, keypoints_2d)
        presence, right = self.presence_side(features)
        return NetworkOutput(keypoints_2d, keypoints_3d, vertices, presence, right)

    def features(self, images: Tensor) -> Tensor:
        """F_B (N, width, h, h) of crops (N, 3, S, S)."""
        return self.adapter(*self.backbone(images))

    def lift(self, features: Tensor, keypoints_2d: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (N, 21, 3) and vertices (N, 778, 3), metres relative to keypoint 9."""
        if self.lean_head is not None:
            keypoints_3d, vertices = self.lean_head(features, keypoints_2d)
            return keypoints_3d, vertices
        if self.config.head == "published":
            vertices = self.mesh_head(features, keypoints_2d)
        else:
            joint, skeleton = self.expansion(features, keypoints_2d)
            for block in self.interaction:
                joint, skeleton = block(joint, skeleton)
            vertices = self.mesh_token_generator(joint, skeleton)
        keypoints_3d = self.keypoint_generator_3d(vertices)
        root = keypoints_3d[:, MIDDLE_MCP : MIDDLE_MCP + 1]
        return keypoints_3d - root, vertices - root


def _rest_mesh(mesh: HandMesh) -> Array:
    """(778, 3) the flat hand, fingers up in the crop, seen from no side in particular.

    Palm and back, thumb left and thumb right are equally likely, so only the extent along the
    fingers says anything before the image does.
    """
    rest = mesh.rest_keypoints
    fingers = rest[MIDDLE_MCP] - rest[WRIST]
    along = (mesh.vertices - rest[MIDDLE_MCP]) @ (fingers / np.linalg.norm(fingers))
    return np.stack([np.zeros_like(along), -along, np.zeros_like(along)], axis=1)
