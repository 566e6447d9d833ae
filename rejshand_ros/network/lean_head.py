"""The paper's head as inference wants it: the same answer from fewer and smaller steps.

Everything here follows from what the blocks of a trained head are to each other (linear maps in
a row are one map; a map enlarged by a transposed convolution need not exist where nobody samples
it), so that `folding.folded` may put a `LeanHead` in the place of the blocks themselves.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, relu

from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, MIDDLE_MCP
from rejshand_ros.network.expansion import JOINT_WIDTH
from rejshand_ros.network.mesh_token import METRES
from rejshand_ros.network.self_attention import attended

PRECISE = ("lean_head.sampling.near", "lean_head.mesh.points")
"""Parts of a folded network that are computed in single precision whatever the rest is in: which
cells are sampled, and the points themselves, which would else move in steps of 0.4 mm."""
UPSAMPLING = 2
"""The only kernel and stride of the expansion block for which there is a lean head."""


class LeanHead(nn.Module):
    """F_B and F_2D to keypoints (N, 21, 3) and vertices (N, 778, 3), relative to keypoint 9.

    Args:
        network: A `ReJSHand` with the paper's head and an upsampling of `UPSAMPLING`, its norms
            folded into its convolutions.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        expansion, (first, *others) = network.expansion, network.interaction
        self.sampling = LeanSampling(expansion, network.config.map_size)
        gate = first.coordinate_attention.gate
        gate_of_joint = _in_a_row(expansion.joint, _linear(gate.weight.squeeze(2), gate.bias))
        entry = _side_by_side(expansion.joint, expansion.skeleton, gate_of_joint)
        of_samples, of_place = entry.weight.tensor_split([JOINT_WIDTH], dim=1)
        # Those maps read the coordinates as 2u - 1 (Eq. 1).
        self.entry = _linear(of_samples, entry.bias - of_place.sum(1))
        self.entry_of_place = _linear(2.0 * of_place, None) if expansion.coordinates else None
        self.blocks = nn.ModuleList([LeanInteraction(block) for block in (first, *others)])
        # The first block's gate reads nothing but the joint features: it is part of `entry`.
        self.blocks[0].gate = None
        self.mesh = LeanMesh(network)

    def forward(self, features: Tensor, keypoints_2d: Tensor) -> tuple[Tensor, Tensor]:
        """Args: features (N, C, h, h); keypoints_2d (N, 21, 2), 0..1."""
        entered = self.entry(self.sampling(features, keypoints_2d))
        if self.entry_of_place is not None:
            entered = entered + self.entry_of_place(keypoints_2d)
        joint, skeleton, gate = entered.split(JOINT_WIDTH, dim=2)
        for block in self.blocks[:-1]:
            joint, skeleton = block(joint, skeleton, gate)
            gate = None
        joint, normed = self.blocks[-1].refined(joint, skeleton)
        return self.mesh(joint, skeleton, normed)


class LeanSampling(nn.Module):
    """The expansion block's samples (N, 21, 256), without the enlarged map they are taken from.

    Each cell of the coarse map becomes 2 x 2 cells of the enlarged one, by a linear map for each
    of the four places. The four cells around a sampled point are one of each place: so four
    coarse cells a keypoint, each through the map of its place, are all that is needed. A share
    may be taken before the ReLU as well as behind it, since none is negative.

    Args:
        expansion: The trained block, its norm folded into its convolution.
        map_size: Side h of the coarse map, cells.
    """

    def __init__(self, expansion: Any, map_size: int) -> None:
        super().__init__()
        convolution = expansion.enlarge[0]
        self.near = NearCells(map_size)
        self.places = nn.ModuleList(
            [
                _linear(convolution.weight[:, :, row, column].T, None)
                for row in range(UPSAMPLING)
                for column in range(UPSAMPLING)
            ]
        )
        self.offset = nn.Parameter(convolution.bias.detach().clone())

    def forward(self, features: Tensor, keypoints_2d: Tensor) -> Tensor:
        """Args: features (N, C, h, h); keypoints_2d (N, 21, 2), 0..1."""
        cells = features.flatten(2).transpose(1, 2)
        shares = self.near(keypoints_2d).to(cells.dtype)
        # A row for each keypoint and place; then a row for each keypoint, its places in a row.
        chosen = (shares.unflatten(2, (len(self.places), -1)).flatten(1, 2) @ cells).unflatten(
            1, (-1, len(self.places))
        )
        weights = shares.unflatten(2, (len(self.places), -1)).sum(3)
        parts = [
            relu(place(cell) + weight * self.offset)
            for place, cell, weight in zip(
                self.places,
                chosen.flatten(2).split(features.shape[1], dim=2),
                weights.split(1, dim=2),
                strict=True,
            )
        ]
        return parts[0] + parts[1] + (parts[2] + parts[3])


class NearCells(nn.Module):
    """How much of each coarse cell is sampled for each keypoint.

    Computes in single precision: half of it does not tell where in a cell a point lies.

    Args:
        map_size: Side h of the coarse map, cells.
    """

    columns: Tensor
    rows: Tensor

    def __init__(self, map_size: int) -> None:
        super().__init__()
        self.last = UPSAMPLING * map_size - 1
        places = torch.arange(UPSAMPLING**2).view(-1, 1)
        cells = torch.arange(map_size**2)
        columns = UPSAMPLING * (cells % map_size) + places % UPSAMPLING
        rows = UPSAMPLING * (cells // map_size) + places // UPSAMPLING
        self.register_buffer("columns", columns.float().view(1, 1, -1), persistent=False)
        self.register_buffer("rows", rows.float().view(1, 1, -1), persistent=False)

    def forward(self, keypoints_2d: Tensor) -> Tensor:
        """Coordinates (N, 21, 2), 0..1, to shares (N, 21, 4 h * h) of bilinear interpolation.

        All cells of the map for each place (top left, top right, bottom left, bottom right), of
        which one has a share; none where the point lies outside of the map.
        """
        # Corners are aligned: 0 is the enlarged map's first cell, 1 its last.
        across, along = (keypoints_2d.float() * self.last).split(1, dim=2)
        near_column = relu(1.0 - (across - self.columns.float()).abs())
        near_row = relu(1.0 - (along - self.rows.float()).abs())
        return near_column * near_row


class LeanInteraction(nn.Module):
    """A feature-interaction block: gates by a plain linear map, norms' scales in the next one.

    Args:
        block: The trained block.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        gate, attention = block.coordinate_attention.gate, block.attention
        self.gate: nn.Linear | None = _linear(gate.weight.squeeze(2), gate.bias)
        self.query, self.key, self.value = (
            _behind_norm(block.joint_norm, layer)
            for layer in (attention.query, attention.key, attention.value)
        )
        self.out = attention.out
        self.skeleton_from_joint = _behind_norm(block.skeleton_norm, block.skeleton_from_joint)
        self.project_joint = block.project_joint
        self.project_skeleton = block.project_skeleton
        self.eps = block.joint_norm.eps, block.skeleton_norm.eps

    def refined(
        self, joint: Tensor, skeleton: Tensor, gate: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The joint features (N, T, C) after their attention, and the same normed.

        Args: joint and skeleton (N, T, C); gate (N, T, C) before the logistic function, where
            the block has none of its own.
        """
        if gate is None:
            assert self.gate is not None
            gate = self.gate(joint)
        joint = joint * (2.0 * gate.sigmoid())
        tokens = _normed(joint + skeleton, self.eps[0])
        joint = joint + self.out(attended(self.query(tokens), self.key(tokens), self.value(tokens)))
        return joint, _normed(joint, self.eps[1])

    def forward(
        self, joint: Tensor, skeleton: Tensor, gate: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """F_J' and F_S' of F_J and F_S; arguments as in `refined`."""
        joint, normed = self.refined(joint, skeleton, gate)
        skeleton = skeleton + self.skeleton_from_joint(normed)
        return self.project_joint(joint), self.project_skeleton(skeleton)


class LeanMesh(nn.Module):
    """Last skeleton refinement, mesh token and 3D keypoint generators, all linear: two maps.

    Args:
        network: The trained network.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        mesh, block = network.mesh_token_generator, network.interaction[-1]
        reduced = _in_a_row(mesh.fuse, mesh.coordinates)
        joint, skeleton = reduced.weight.chunk(2, dim=1)
        refined = _behind_norm(block.skeleton_norm, block.skeleton_from_joint)
        self.reduce = _linear(
            torch.cat([joint, skeleton, skeleton @ refined.weight], dim=1),
            reduced.bias + skeleton @ refined.bias,
        )
        joints = network.keypoint_generator_3d.joint_matrix.double()
        tokens = mesh.vertices.weight.double()
        rest = mesh.rest + mesh.vertices.bias[:, None] * mesh.coordinates.weight.sum(1)
        points = torch.cat([joints @ tokens, tokens])
        at_rest = torch.cat([joints @ rest.double(), rest.double()])
        self.points = _linear(METRES * (points - points[MIDDLE_MCP]), None)
        self.rest = nn.Parameter((METRES * (at_rest - at_rest[MIDDLE_MCP])).float())

    def forward(self, joint: Tensor, skeleton: Tensor, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (N, 21, 3) and vertices (N, 778, 3), metres relative to keypoint 9."""
        reduced = self.reduce(torch.cat([joint, skeleton, normed], dim=2))
        points = self.points(reduced.transpose(1, 2)).transpose(1, 2) + self.rest
        return points[:, :KEYPOINT_COUNT], points[:, KEYPOINT_COUNT:]


def _normed(tokens: Tensor, eps: float) -> Tensor:
    """Layer norm of tokens (N, T, C) without its scale and offset."""
    return layer_norm(tokens, tokens.shape[-1:], eps=eps)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer of weights (out, in), in single precision."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().float().contiguous())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().float())
    return layer


def _side_by_side(*layers: nn.Linear) -> nn.Linear:
    """One layer that answers what several of the same input answer, one after the other."""
    return _linear(torch.cat([x.weight for x in layers]), torch.cat([x.bias for x in layers]))


def _in_a_row(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """One layer for two, the second of which reads nothing but what the first gives."""
    weight = second.weight.double()
    bias = weight @ first.bias.double()
    if second.bias is not None:
        bias = bias + second.bias
    return _linear(weight @ first.weight.double(), bias)


def _behind_norm(norm: nn.LayerNorm, layer: nn.Linear) -> nn.Linear:
    """The layer that does to what is merely normed what `layer` does to what `norm` gives."""
    bias = layer.bias + layer.weight @ norm.bias
    return _linear(layer.weight * norm.weight, bias)
