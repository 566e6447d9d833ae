"""What is in front of the camera besides the hand: forearm, sleeve, held things, things passing.

All shapes are built in the wrist frame of a right hand or in the frame of the camera; metres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.geometry import Array, RigidTransform, rotation_between, rotation_from_vector
from rejshand_ros.hand.keypoints import FINGERTIPS
from rejshand_ros.synthetic import primitives
from rejshand_ros.synthetic.appearance import cloth_material, colour, thing_material
from rejshand_ros.synthetic.mesh import Material, Mesh

_FORWARD = np.array([0.0, 0.0, 1.0])


def forearm_path(flexion_rad: float, deviation_rad: float, length_m: float) -> Array:
    """(8, 3) middle line of a forearm in the wrist frame, from inside the wrist to the elbow.

    Args:
        flexion_rad: Bend of the wrist towards the palm.
        deviation_rad: Bend towards the thumb's side.
        length_m: Wrist to elbow.
    """
    along = np.append([-0.012, 0.008, 0.022, 0.04], np.linspace(0.04, length_m, 5)[1:])
    # The bend builds up over the two centimetres of the carpal bones.
    share = np.clip((along - 0.0) / 0.02, 0, 1)
    direction = np.stack(
        [np.sin(flexion_rad * share), -np.sin(deviation_rad * share), -np.ones_like(share)], 1
    )
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    steps = np.diff(along, prepend=along[0])[:, None] * direction
    return np.asarray(np.array([0.0, 0.0, -along[0]]) + np.cumsum(steps, axis=0))


def forearm(
    path: Array, size: float, skin: Array, material: Material, camera_from_wrist: RigidTransform
) -> Mesh:
    """A bare forearm along a path.

    Args:
        path: From `forearm_path`.
        size: The hand's thickness over the template's.
        skin: (3,) linear RGB.
        material: The hand's.
        camera_from_wrist: Pose of the wrist frame.
    """
    share = np.linspace(0, 1, len(path))
    # Inside the hand's stump at first, just around its end from the third point on.
    at = [0, 0.143, 0.286, 0.45, 0.8, 1.0]
    wide = np.interp(share, at, [0.017, 0.0287, 0.0290, 0.0305, 0.038, 0.040]) * size
    flat = np.interp(share, at, [0.012, 0.0195, 0.0200, 0.0225, 0.034, 0.038]) * size
    vertices, faces = primitives.tube(path, np.stack([wide, flat], 1), [0, 1, 0])
    return Mesh(vertices, faces, skin, camera_from_wrist, vertices, material)


def sleeve(
    rng: np.random.Generator, path: Array, size: float, camera_from_wrist: RigidTransform
) -> Mesh:
    """A sleeve over a forearm, from somewhere between the wrist and its middle to the elbow."""
    start = rng.uniform(0.012, 0.12)
    distance = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = np.linspace(start, distance[-1] * 1.02, 7)
    centres = np.stack([np.interp(at, distance, path[:, a]) for a in range(3)], 1)
    wide = rng.uniform(0.034, 0.046) * size * np.linspace(1, rng.uniform(1.1, 1.5), 7)
    wide *= 1 + rng.normal(0, 0.03, 7)
    radii = np.stack([wide, wide * rng.uniform(0.75, 1.0)], 1)
    vertices, faces = primitives.tube(centres, radii, [0, 1, 0])
    return Mesh(vertices, faces, colour(rng), camera_from_wrist, vertices, cloth_material(rng))


def bracelet(
    rng: np.random.Generator, path: Array, size: float, camera_from_wrist: RigidTransform
) -> Mesh:
    """A watch strap or a bracelet around the wrist."""
    distance = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = rng.uniform(0.026, 0.06) + np.linspace(0, rng.uniform(0.006, 0.022), 3)
    centres = np.stack([np.interp(at, distance, path[:, a]) for a in range(3)], 1)
    radii = np.tile([0.0295 * size, 0.0225 * size], (3, 1))
    vertices, faces = primitives.tube(centres, radii, [0, 1, 0])
    return Mesh(vertices, faces, colour(rng), camera_from_wrist, vertices, thing_material(rng))


def held_thing(
    rng: np.random.Generator, keypoints: Array, camera_from_wrist: RigidTransform
) -> Mesh:
    """A box, bar, ball or pen in the space between palm, thumb and fingers.

    Args:
        rng: Source of chance.
        keypoints: (21, 3) metres, wrist frame.
        camera_from_wrist: Pose of the wrist frame.
    """
    palm = keypoints[[5, 9, 13, 17]].mean(0) * 0.75 + np.array([0.012, 0, 0])
    tips = keypoints[list(FINGERTIPS)]
    pinch = float(np.linalg.norm(tips[0] - tips[1]))
    across = keypoints[5] - keypoints[17]
    if pinch < 0.035 and rng.random() < 0.7:
        # Held between thumb and index finger: a pen, a card, a small ball.
        centre = (tips[0] + tips[1]) / 2
        thin = max(pinch / 2 - 0.006, 0.003)
        shape = [
            lambda: primitives.cylinder(thin, rng.uniform(0.08, 0.16), 12),
            lambda: primitives.box([2 * thin, rng.uniform(0.02, 0.08), rng.uniform(0.02, 0.09)]),
            lambda: primitives.sphere(thin + 0.003, 14),
        ][rng.integers(3)]()
        axis = rng.normal(size=3)
    else:
        centre = 0.5 * palm + 0.5 * tips.mean(0) + rng.normal(0, 0.005, 3)
        fold = keypoints[[6, 7, 10, 11, 14, 15]]
        room = float(np.quantile(np.linalg.norm(np.vstack([fold, tips]) - centre, axis=1), 0.3))
        radius = float(np.clip(room - 0.009, 0.006, 0.05))
        shape = [
            lambda: primitives.cylinder(radius, rng.uniform(0.08, 0.22)),
            lambda: primitives.box(radius * rng.uniform(1.0, 1.7, 3) * [1, 1, rng.uniform(1, 4)]),
            lambda: primitives.sphere(radius * 1.1),
            lambda: primitives.capsule(radius, rng.uniform(0.05, 0.15)),
        ][rng.integers(4)]()
        axis = across + rng.normal(0, 0.02, 3)
    turn = rotation_between(_FORWARD, axis) @ rotation_from_vector([0, 0, rng.uniform(0, 6.3)])
    pose = camera_from_wrist @ RigidTransform(turn, centre)
    return Mesh(shape[0], shape[1], colour(rng), pose, shape[0], thing_material(rng))


def passing_thing(rng: np.random.Generator, centre: ArrayLike, extent_m: float) -> Mesh:
    """Something between camera and hand that hides a corner of it.

    Args:
        rng: Source of chance.
        centre: (3,) middle of the hand, camera axes.
        extent_m: Side of the hand's box at its distance.
    """
    centre = np.asarray(centre, float)
    closer = rng.uniform(0.6, 0.9)
    size = extent_m * rng.uniform(0.15, 0.5) * closer
    angle = rng.uniform(0, 2 * np.pi)
    away = extent_m * rng.uniform(0.35, 0.6)
    place = centre + away * np.array([np.cos(angle), np.sin(angle), 0])
    return _thing(rng, place * closer, size)


def thing_behind(rng: np.random.Generator, centre: ArrayLike, extent_m: float) -> Mesh:
    """Something near the hand but farther from the camera."""
    centre = np.asarray(centre, float)
    farther = rng.uniform(1.15, 1.6)
    place = centre + extent_m * np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7), 0])
    return _thing(rng, place * farther, extent_m * rng.uniform(0.15, 0.6) * farther)


def _thing(rng: np.random.Generator, place: Array, size: float) -> Mesh:
    shape = [
        lambda: primitives.box(size * rng.uniform(0.3, 1.2, 3)),
        lambda: primitives.cylinder(size * rng.uniform(0.1, 0.5), size * rng.uniform(0.5, 2.5)),
        lambda: primitives.sphere(size * 0.5),
        lambda: primitives.capsule(size * rng.uniform(0.1, 0.3), size * rng.uniform(0.5, 2.0)),
    ][rng.integers(4)]()
    pose = RigidTransform(rotation_from_vector(rng.normal(0, 2, 3)), place)
    return Mesh(shape[0], shape[1], colour(rng), pose, shape[0], thing_material(rng))
