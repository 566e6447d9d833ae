"""Endless rendered crops of hands with known truth, each drawn from its own number."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array, RigidTransform
from rejshand_ros.hand.keypoints import MIDDLE_MCP, Side
from rejshand_ros.hand.kinematics import BONE_COUNT, HandParameters, pose_hand
from rejshand_ros.hand.sampling import sample_poses
from rejshand_ros.hand.template import load_template
from rejshand_ros.synthetic import scene
from rejshand_ros.synthetic.appearance import lamp, skin_colour, skin_material
from rejshand_ros.synthetic.backgrounds import (
    cut_background,
    load_background_folder,
    procedural_background,
)
from rejshand_ros.synthetic.effects import camera_effects
from rejshand_ros.synthetic.mesh import Mesh
from rejshand_ros.synthetic.rasterizer import RenderResult, render
from rejshand_ros.synthetic.sample import SyntheticConfig, SyntheticSample
from rejshand_ros.synthetic.skin import skin_marks
from rejshand_ros.synthetic.viewpoint import any_view, side_view

_BLOCK = 64
"""Hands are posed so many at a time, which costs far less a hand."""
_MIRROR = np.array([-1.0, 1.0, 1.0])
_VISIBLE_M = 0.02

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Block:
    """Posed hands of one block, wrist frame of a right hand."""

    number: int
    keypoints: Array
    vertices: Array
    thickness: Array


class SyntheticGenerator:
    """Samples by number.

    Args:
        config: How they are drawn.

    Raises:
        ModelFileError: The background folder cannot be read.
    """

    def __init__(self, config: SyntheticConfig | None = None) -> None:
        self.config = config or SyntheticConfig()
        self._template = load_template()
        # A mirrored hand needs its faces wound the other way to face outwards.
        self._faces = {
            Side.RIGHT: self._template.faces,
            Side.LEFT: np.ascontiguousarray(self._template.faces[:, ::-1]),
        }
        self._marks = skin_marks()
        self._photographs: list[Image] = []
        if self.config.background_folder is not None:
            self._photographs = load_background_folder(self.config.background_folder)
        self._block: _Block | None = None

    def sample(self, index: int) -> SyntheticSample:
        """The sample of a number >= 0; the same for the same configuration."""
        config = self.config
        rng = np.random.default_rng((config.seed, 1, index))
        background = self._background(rng)
        if rng.random() < config.negative_share:
            return self._negative(rng, background)
        side = Side.LEFT if rng.random() < config.left_share else Side.RIGHT
        block = self._posed(index // _BLOCK)
        number = index % _BLOCK
        mirror = _MIRROR if side is Side.LEFT else np.ones(3)
        # Without a share nothing is drawn, so that samples stay what they were.
        beside = config.side_view_share > 0 and rng.random() < config.side_view_share
        rotation = side_view(rng) if beside else any_view(rng)
        keypoints = (block.keypoints[number] @ rotation.T) * mirror
        vertices = (block.vertices[number] @ rotation.T) * mirror
        shift, extent = self._place(rng, keypoints)
        keypoints, vertices = keypoints + shift, vertices + shift
        matrix = self._camera(rng, extent)
        meshes = self._hand_meshes(rng, block, number, side, rotation, shift, vertices)
        middle = (keypoints.min(0) + keypoints.max(0)) / 2
        meshes += self._other_things(rng, index, middle, extent * middle[2])
        shadow = 0.14 if rng.random() < config.shadow_share else 0.0
        result = self._render(rng, meshes, matrix, background, middle, shadow)
        image = camera_effects(rng, result.rgb, config.effects)
        pixels = keypoints @ matrix.T
        pixels = pixels[:, :2] / pixels[:, 2:]
        return SyntheticSample(
            image,
            (pixels + 0.5) / config.size,
            keypoints - keypoints[MIDDLE_MCP],
            vertices - keypoints[MIDDLE_MCP],
            keypoints[MIDDLE_MCP],
            matrix,
            True,
            side,
            _visible(pixels, keypoints[:, 2], result),
        )

    def _negative(self, rng: np.random.Generator, background: Image) -> SyntheticSample:
        """Background, things and now and then a forearm, but no hand."""
        distance = rng.uniform(0.3, 0.9)
        middle, extent = np.array([0, 0, distance]), 0.15 / distance
        matrix = self._camera(rng, extent)
        meshes = [scene.thing_behind(rng, middle, 0.15) for _ in range(rng.integers(0, 4))]
        if rng.random() < 0.4:
            skin, material = skin_colour(rng), skin_material(rng)
            path = scene.forearm_path(0.0, 0.0, 0.25) + np.array([0, 0, 0.12])
            pose = RigidTransform(any_view(rng), middle + rng.normal(0, 0.04, 3))
            meshes.append(scene.forearm(path, 1.0, skin, material, pose))
        result = self._render(rng, meshes, matrix, background, middle, 0.0)
        image = camera_effects(rng, result.rgb, self.config.effects)
        nothing = np.zeros((21, 3))
        return SyntheticSample(
            image, nothing[:, :2], nothing, np.zeros_like(self._template.vertices), np.zeros(3),
            matrix, False, None, np.zeros(21, bool),
        )  # fmt: skip

    def _posed(self, number: int) -> _Block:
        if self._block is None or self._block.number != number:
            rng = np.random.default_rng((self.config.seed, 2, number))
            angles = sample_poses(rng, _BLOCK, uniform_share=self.config.uniform_pose_share)
            size = np.clip(rng.normal(1.0, 0.1, (_BLOCK, 1)), 0.65, 1.3)
            scales = size * np.clip(1 + rng.normal(0, 0.045, (_BLOCK, BONE_COUNT)), 0.85, 1.15)
            thickness = scales.mean(1) * np.clip(rng.normal(1.0, 0.1, _BLOCK), 0.75, 1.3)
            posed = pose_hand(self._template, HandParameters.of(angles, scales, thickness))
            self._block = _Block(number, posed.keypoints, posed.vertices, thickness)
        return self._block

    def _place(self, rng: np.random.Generator, keypoints: Array) -> tuple[Array, float]:
        """Where the hand must go to be seen in the crop's middle, and its box's size there.

        Returns:
            (3,) metres to add to camera-turned keypoints; side of the square hull at z = 1.
        """
        distance = np.exp(rng.uniform(np.log(0.22), np.log(1.1)))
        shift = np.array([0, 0, distance]) - keypoints.mean(0)
        jitter = rng.uniform(-1, 1, 2) * self.config.centre_jitter
        for _ in range(4):
            points = keypoints + shift
            rays = points[:, :2] / points[:, 2:]
            low, high = rays.min(0), rays.max(0)
            extent = float((high - low).max())
            shift[:2] -= ((low + high) / 2 - jitter * extent) * distance
        return shift, extent

    def _camera(self, rng: np.random.Generator, extent: float) -> Array:
        """Intrinsics (3, 3) that show a square of the given side at z = 1, and a margin."""
        size = self.config.size
        focal = size / (extent * rng.uniform(*self.config.box_scale))
        middle = (size - 1) / 2
        return np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])

    def _hand_meshes(
        self,
        rng: np.random.Generator,
        block: _Block,
        number: int,
        side: Side,
        rotation: Array,
        shift: Array,
        vertices: Array,
    ) -> list[Mesh]:
        """The hand, its forearm and what it holds, in the camera's frame."""
        config = self.config
        skin, material = skin_colour(rng), skin_material(rng)
        size = float(block.thickness[number])
        hand = Mesh(
            vertices, self._faces[side], skin, texture=self._template.vertices, material=material
        )
        wrist = RigidTransform(rotation, np.zeros(3))
        around = []
        if rng.random() < config.forearm_share:
            path = scene.forearm_path(rng.normal(0, 0.35), rng.normal(0, 0.15), 0.25)
            around.append(scene.forearm(path, size, skin, material, wrist))
            if rng.random() < 0.5:
                around.append(scene.sleeve(rng, path, size, wrist))
            if rng.random() < 0.15:
                around.append(scene.bracelet(rng, path, size, wrist))
        if rng.random() < config.held_share:
            around.append(scene.held_thing(rng, block.keypoints[number], wrist))
        return [hand, *(_moved(mesh, side, shift) for mesh in around)]

    def _other_things(
        self, rng: np.random.Generator, index: int, middle: Array, extent_m: float
    ) -> list[Mesh]:
        """Passers-by between camera and hand and behind it, among them other hands."""
        config = self.config
        meshes = []
        if rng.random() < config.passing_share:
            meshes.append(scene.passing_thing(rng, middle, extent_m))
        if rng.random() < config.behind_share:
            meshes += [scene.thing_behind(rng, middle, extent_m) for _ in range(rng.integers(1, 3))]
        if rng.random() < config.second_hand_share:
            block = self._posed(index // _BLOCK)
            other = int(rng.integers(_BLOCK))
            side = Side.LEFT if rng.random() < 0.7 else Side.RIGHT
            vertices = block.vertices[other] @ any_view(rng).T
            angle = rng.uniform(0, 2 * np.pi)
            away = extent_m * rng.uniform(0.95, 1.3)
            place = middle + away * np.array([np.cos(angle), np.sin(angle), rng.uniform(-0.1, 0.6)])
            mesh = Mesh(
                vertices, self._faces[Side.RIGHT], skin_colour(rng),
                texture=self._template.vertices, material=skin_material(rng),
            )  # fmt: skip
            meshes.append(_moved(mesh, side, place - vertices.mean(0)))
        return meshes

    def _background(self, rng: np.random.Generator) -> Image:
        """(S, S, 3) BGR."""
        config = self.config
        if self._photographs and rng.random() < config.photograph_share:
            canvas = self._photographs[rng.integers(len(self._photographs))]
        else:
            canvas = procedural_background(config.seed, int(rng.integers(config.backgrounds)))
        return cut_background(rng, canvas, config.size)

    def _render(
        self,
        rng: np.random.Generator,
        meshes: list[Mesh],
        matrix: Array,
        background: Image,
        middle: Array,
        shadow_radius_m: float,
    ) -> RenderResult:
        """The meshes over the background; `rgb` of the result is turned to BGR."""
        size = self.config.size
        result = render(
            meshes, matrix, size, size, lamp(rng), solid=self._marks,
            shadow_centre=middle, shadow_radius_m=shadow_radius_m,
        )  # fmt: skip
        backdrop = background.astype(np.float32)
        if rng.random() < 0.5:
            backdrop *= _contact_shadow(rng, result.alpha)[..., None]
        clear = (1.0 - result.alpha)[..., None]
        picture = result.layer[..., ::-1] * np.float32(255) + clear * backdrop
        image = cv2.convertScaleAbs(picture)
        return RenderResult(
            np.asarray(image, np.uint8), result.depth, result.object_id, result.alpha, result.layer
        )


def _moved(mesh: Mesh, side: Side, shift: Array) -> Mesh:
    """A mesh posed relative to a right wrist, mirrored for a left one, moved to its place."""
    vertices = mesh.camera_from_mesh.apply(mesh.vertices)
    faces = mesh.faces
    if side is Side.LEFT:
        vertices, faces = vertices * _MIRROR, np.ascontiguousarray(faces[:, ::-1])
    return Mesh(
        vertices + shift, faces, mesh.colours, RigidTransform(), mesh.texture, mesh.material
    )


def _contact_shadow(rng: np.random.Generator, alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S) share of light that the hand lets through to the wall behind it."""
    size = alpha.shape[0]
    small = cv2.resize(alpha, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    shift = rng.normal(0, 0.05, 2) * size / 2
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    moved = cv2.warpAffine(small, move, (size // 2, size // 2), borderMode=cv2.BORDER_REPLICATE)
    soft = int(rng.uniform(0.01, 0.09) * size) | 1
    moved = cv2.blur(cv2.blur(moved, (soft, soft)), (soft, soft))
    moved = cv2.resize(moved, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1.0 - np.float32(rng.uniform(0.1, 0.6)) * moved, np.float32)


def _visible(pixels: Array, depth: Array, result: RenderResult) -> NDArray[np.bool_]:
    """(21,) whether nothing lies more than 2 cm before each keypoint."""
    size = len(result.depth)
    inside = ((pixels > -0.5) & (pixels < size - 0.5)).all(1)
    cell = np.clip(np.rint(pixels), 0, size - 1).astype(int)
    return np.asarray(inside & (result.depth[cell[:, 1], cell[:, 0]] > depth - _VISIBLE_M))
