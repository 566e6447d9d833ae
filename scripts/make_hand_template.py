"""Make rejshand_ros/hand/template.npz from the description in hand_description.py.

Run from the repository's root: `python scripts/make_hand_template.py` (about a minute). Needs
scikit-image (marching cubes) and SciPy (non-negative least squares), both development
dependencies only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from hand_description import (
    FINGERS,
    RADII,
    Array,
    Skeleton,
    build_skeleton,
    hand_distance,
    project_to_surface,
)
from hand_weights import regress_joints, skinning_weights
from remeshing import Faces, collapse_to, flip_edges, relax
from skimage.measure import marching_cubes

from rejshand_ros.hand.keypoints import FINGERTIPS
from rejshand_ros.hand.template import VERTEX_COUNT, HandTemplate, save_template

GRID_M = 0.0016
LOW, HIGH = np.array([-0.05, -0.085, -0.06]), np.array([0.09, 0.10, 0.215])
ROOT = Path(__file__).resolve().parents[1]


def wanted_edge_length(skeleton: Skeleton, points: Array) -> Array:
    """Edge length (n,) wanted at points (n, 3): fine along the fingers and at their joints."""
    k = skeleton.keypoints
    length = np.full(len(points), 0.0115)
    for number, finger in enumerate(FINGERS):
        first = 1 + 4 * number
        start = first + 1 if finger == "thumb" else first
        for a in range(start, first + 3):
            axis = k[a + 1] - k[a]
            t = np.clip((points - k[a]) @ axis / (axis @ axis), 0, 1)
            gap = np.linalg.norm(points - k[a] - t[:, None] * axis, axis=1)
            near = np.clip((gap - 0.012) / 0.010, 0, 1)
            fine = 0.0062 if finger != "little" else 0.0054
            length = np.minimum(length, fine + near * (0.0115 - fine))
    for tip in FINGERTIPS:
        near = np.clip(np.linalg.norm(points - k[tip], axis=1) / 0.012, 0, 1)
        length = np.minimum(length, 0.0046 + near * 0.007)
    return length


def make_mesh(skeleton: Skeleton) -> tuple[Array, Faces]:
    """The closed surface with exactly `VERTEX_COUNT` vertices."""

    def size(points: Array) -> Array:
        return wanted_edge_length(skeleton, points)

    def project(points: Array) -> Array:
        return project_to_surface(skeleton, points, steps=2)

    axes = [np.arange(a, b, GRID_M) for a, b in zip(LOW, HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    field = hand_distance(skeleton, grid.reshape(-1, 3)).reshape(grid.shape[:3])
    raw, triangles, _, _ = marching_cubes(field, 0.0, spacing=(GRID_M,) * 3)
    # scikit-image winds towards the descent of the field; ours grows outwards.
    vertices, faces = raw.astype(float) + LOW, triangles[:, ::-1].astype(np.int32)
    if np.sum(np.linalg.det(vertices[faces])) < 0:
        faces = faces[:, ::-1].copy()
    for count in (6000, 2500, 1200, VERTEX_COUNT):
        vertices, faces = collapse_to(vertices, faces, count, size)
        faces = flip_edges(vertices, faces)
        vertices = relax(vertices, faces, project, size, rounds=4)
    for _ in range(6):
        faces = flip_edges(vertices, faces)
        vertices = relax(vertices, faces, project, size, rounds=5)
    return project_to_surface(skeleton, vertices), faces


def make_template() -> HandTemplate:
    """Build mesh, weights and joint regressor."""
    skeleton = build_skeleton()
    vertices, faces = make_mesh(skeleton)
    keypoints = skeleton.keypoints.copy()
    tips = [int(np.argmin(np.linalg.norm(vertices - keypoints[t], axis=1))) for t in FINGERTIPS]
    # Fingertips are single vertices: the nearest one is moved exactly onto the tip.
    vertices[tips] = keypoints[list(FINGERTIPS)]
    # float32 is what is stored: everything below is fitted to the stored numbers.
    vertices = vertices.astype(np.float32).astype(float)
    keypoints[list(FINGERTIPS)] = vertices[tips]
    radii = np.array([RADII[f][i] for f in FINGERS for i in (0, 1, 2, 3)])
    template = HandTemplate(
        vertices=vertices,
        faces=faces,
        joint_regressor=np.zeros((21, len(vertices))),
        skinning_weights=skinning_weights(skeleton, vertices, faces),
        rest_keypoints=keypoints,
        flexion_axes=skeleton.flexion_axes,
        abduction_axes=skeleton.abduction_axes,
        twist_axis=skeleton.twist_axis,
        keypoint_radii=np.concatenate([[0.017], radii]),
    )
    return regress_joints(template, dict(zip(FINGERTIPS, tips, strict=True)))


def main() -> None:
    """Write the template file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "rejshand_ros/hand/template.npz")
    arguments = parser.parse_args()
    save_template(make_template(), arguments.out)


if __name__ == "__main__":
    main()
