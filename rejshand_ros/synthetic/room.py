"""A furnished wall for the demo clip: rendered once, out of focus behind the hand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import PinholeCamera, RigidTransform, rotation_from_vector
from rejshand_ros.synthetic import primitives
from rejshand_ros.synthetic.appearance import linear
from rejshand_ros.synthetic.mesh import Light, Material, Mesh
from rejshand_ros.synthetic.rasterizer import render


def room_picture(camera: PinholeCamera, light: Light, seed: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: wall, floor, shelf with books, picture, plant and table."""
    rng = np.random.default_rng((seed, 11))
    wall = Material(grain_per_m=40, grain=0.03, blotch_per_m=1.5, blotch=0.12, specular=0.0)
    wood = Material(grain_per_m=25, grain=0.12, blotch_per_m=6, blotch=0.2, specular=0.1)
    meshes = [
        _box((0, 0, 3.3), (9.0, 7.0, 0.1), (196, 190, 176), wall),
        _box((0, 1.55, 2.0), (9.0, 0.1, 4.0), (120, 92, 66), wood),
        _box((0, 1.40, 3.22), (9.0, 0.16, 0.04), (222, 218, 208), wall),
        # A picture in its frame.
        _box((-0.95, -0.45, 3.22), (0.86, 0.66, 0.05), (58, 44, 36), wood),
        _box((-0.95, -0.45, 3.19), (0.74, 0.54, 0.04), (96, 128, 140), _painted(3.0)),
        # A window with its cross.
        _box((1.75, -0.5, 3.23), (1.0, 1.5, 0.04), (236, 240, 244), Material(wrap=1.0)),
        _box((1.75, -0.5, 3.20), (0.05, 1.5, 0.04), (205, 200, 192), wall),
        _box((1.75, -0.4, 3.20), (1.0, 0.05, 0.04), (205, 200, 192), wall),
        # A table with a lamp and a bowl.
        _box((-1.15, 0.62, 2.75), (1.5, 0.06, 0.7), (142, 104, 70), wood),
        _box((-1.75, 1.1, 2.6), (0.07, 0.95, 0.07), (110, 80, 54), wood),
        _box((-0.55, 1.1, 2.6), (0.07, 0.95, 0.07), (110, 80, 54), wood),
        _upright(primitives.cylinder(0.17, 0.24), (-1.55, 0.1, 2.8), (230, 206, 158)),
        _upright(primitives.cylinder(0.025, 0.45), (-1.55, 0.37, 2.8), (60, 60, 64)),
        _upright(primitives.sphere(0.13), (-0.75, 0.5, 2.7), (66, 110, 98)),
        # A shelf.
        _box((0.95, 0.55, 3.05), (1.15, 0.04, 0.3), (126, 92, 62), wood),
        _box((0.95, 0.10, 3.05), (1.15, 0.04, 0.3), (126, 92, 62), wood),
        _upright(primitives.cylinder(0.11, 0.2), (1.75, 1.35, 2.9), (150, 88, 62)),
    ]
    for height in (0.53, 0.08):
        x = 0.42
        while x < 1.42:
            wide, tall = rng.uniform(0.025, 0.07), rng.uniform(0.18, 0.3)
            place = (x + wide / 2, height - tall / 2, 3.0)
            meshes.append(_box(place, (wide, tall, 0.2), tuple(rng.uniform(30, 200, 3)), wall))
            x += wide + (0.1 if rng.random() < 0.12 else 0.004)
    for _ in range(26):
        # Leaves of the plant in its pot.
        lean = rng.normal(0, 0.5, 3)
        leaf = primitives.capsule(rng.uniform(0.012, 0.03), rng.uniform(0.2, 0.5), 8)
        turn = rotation_from_vector([np.pi / 2, 0, 0]) @ rotation_from_vector(lean)
        root = np.array([1.75, 1.0, 2.9]) + rng.normal(0, 0.08, 3)
        green = (40 + rng.uniform(0, 30), rng.uniform(80, 130), 44)
        meshes.append(Mesh(*leaf, linear(np.array(green)), RigidTransform(turn, root)))
    picture = render(meshes, camera, camera.width, camera.height, light).rgb
    fall_off = np.linspace(0.82, 1.08, camera.width)[None, :, None]
    lit = np.clip(picture * fall_off, 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), camera.width / 320), np.uint8)


def _painted(blotch_per_m: float) -> Material:
    return Material(blotch_per_m=blotch_per_m, blotch=0.7, grain_per_m=12, grain=0.3)


def _box(
    place: tuple[float, ...],
    size: tuple[float, ...],
    srgb: tuple[float, ...],
    material: Material,
) -> Mesh:
    vertices, faces = primitives.box(size)
    pose = RigidTransform(np.eye(3), np.array(place))
    texture = vertices + np.array(place)
    return Mesh(vertices, faces, linear(np.array(srgb)), pose, texture, material)


def _upright(shape: primitives.Shape, place: tuple[float, ...], srgb: tuple[float, ...]) -> Mesh:
    """A lathed shape with its axis upright."""
    pose = RigidTransform(rotation_from_vector([np.pi / 2, 0, 0]), np.array(place))
    return Mesh(*shape, linear(np.array(srgb)), pose)
