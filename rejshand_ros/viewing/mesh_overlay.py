"""A network's mesh laid on the picture of the hand, shaded and textured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera, rotation_from_vector
from rejshand_ros.hand.template import load_template
from rejshand_ros.synthetic.mesh import Light, Material, Mesh
from rejshand_ros.synthetic.rasterizer import render
from rejshand_ros.synthetic.skin import skin_marks

_SKIN = np.array([0.62, 0.40, 0.30])
_MATERIAL = Material(
    wrap=0.12, specular=0.08, shininess=14.0, grain=0.05, blotch=0.06, translucency=0.2,
    solid=1.0, crease=0.55, redness=0.3, nail=0.8, palm=0.2, bump=0.12,
)  # fmt: skip


def hand_mesh(vertices: Array, *, mirrored: bool = False) -> Mesh:
    """A mesh of the project's own topology, with skin.

    Args:
        vertices: (778, 3) metres, camera axes.
        mirrored: Whether they are those of a left hand, whose faces are wound the other way.

    Raises:
        InputError: Vertices of another shape.
    """
    template = load_template()
    if np.shape(vertices) != template.vertices.shape:
        raise InputError(f"vertices of shape {np.shape(vertices)}; (778, 3) needed")
    faces = template.faces[:, ::-1] if mirrored else template.faces
    return Mesh(
        vertices, np.ascontiguousarray(faces), _SKIN, texture=template.vertices, material=_MATERIAL
    )


def draw_mesh(
    image: NDArray[np.uint8],
    mesh: Mesh,
    camera: PinholeCamera,
    *,
    opacity: float = 1.0,
) -> NDArray[np.uint8]:
    """A mesh over the picture that it was read from.

    Args:
        image: (H, W, 3) uint8 BGR.
        mesh: In the camera's axes, metres from it.
        camera: Of the picture; distortion is ignored.
        opacity: Of the mesh, 0..1.

    Returns:
        A new picture of the same size.
    """
    height, width = image.shape[:2]
    middle = np.asarray(mesh.vertices).mean(0)
    drawn = render(
        [mesh], camera, width, height, Light(), solid=skin_marks(), background=image[..., ::-1],
        shadow_centre=middle, shadow_radius_m=0.15,
    ).rgb[..., ::-1]  # fmt: skip
    mixed = opacity * drawn.astype(np.float32) + (1.0 - opacity) * image
    return np.asarray(np.rint(mixed), np.uint8)


def draw_mesh_turned(
    mesh: Mesh, size: int, turn_deg: float, *, background: tuple[int, int, int] = (245, 245, 245)
) -> NDArray[np.uint8]:
    """A mesh alone, turned about the vertical: what a single view does not show.

    Args:
        mesh: Camera axes, metres.
        size: Side of the picture, pixels.
        turn_deg: 0 shows it as the camera does, 90 from the side.
        background: BGR.
    """
    vertices = np.asarray(mesh.vertices, float)
    middle = (vertices.min(0) + vertices.max(0)) / 2
    turned = (vertices - middle) @ rotation_from_vector([0, np.radians(turn_deg), 0]).T
    extent = float(np.linalg.norm(turned, axis=1).max())
    distance = 4.0 * extent
    focal = 0.5 * size * (distance - extent) / (1.02 * extent)
    matrix = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1.0]])
    placed = Mesh(
        turned + np.array([0.0, 0.0, distance]), mesh.faces, mesh.colours, texture=mesh.texture,
        material=mesh.material,
    )  # fmt: skip
    rgb = render(
        [placed], matrix, size, size, Light(), solid=skin_marks(), background=background[::-1],
        shadow_centre=[0, 0, distance], shadow_radius_m=1.2 * extent,
    ).rgb  # fmt: skip
    return np.ascontiguousarray(rgb[..., ::-1])
