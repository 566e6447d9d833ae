"""Meshes in, picture, depth and object numbers out: the software renderer's front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.synthetic.mesh import Floats, Indices, Light, Mesh, SolidTexture
from rejshand_ros.synthetic.noise import noise_volume
from rejshand_ros.synthetic.shading import shade
from rejshand_ros.synthetic.visibility import rasterise, rasterise_shadow, vertex_normals

_SHADOW_SIZE = 160
_SHADOW_BIAS_M = 0.004


@dataclass(frozen=True)
class RenderResult:
    """A rendered picture.

    Attributes:
        rgb: (H, W, 3) uint8 over the background that was given.
        depth: (H, W) float32 metres along z of what is nearest in each pixel; inf where nothing.
        object_id: (H, W) int32 index of the mesh that fills most of the pixel; -1 where none.
        alpha: (H, W) float32 share of the pixel that meshes cover, 0..1.
        layer: (H, W, 3) float32 RGB 0..1, multiplied by alpha: the meshes alone.
    """

    rgb: NDArray[np.uint8]
    depth: Floats
    object_id: Indices
    alpha: Floats
    layer: Floats


def render(
    meshes: Sequence[Mesh],
    camera: PinholeCamera | ArrayLike,
    width: int,
    height: int,
    light: Light | None = None,
    *,
    background: ArrayLike = (40, 40, 44),
    solid: SolidTexture | None = None,
    shadow_centre: ArrayLike | None = None,
    shadow_radius_m: float = 0.0,
    samples: int = 2,
    cull: bool = True,
) -> RenderResult:
    """Draw meshes.

    Args:
        meshes: What to draw; `object_id` counts them in this order.
        camera: The camera, or its matrix (3, 3) in pixels; distortion is ignored.
        width: Picture width, pixels.
        height: Picture height, pixels.
        light: The light; a lamp over the camera's left shoulder by default.
        background: RGB 0..255 (3,), or an RGB picture (height, width, 3) uint8.
        solid: Marks of the skin for materials that ask for them.
        shadow_centre: (3,) camera axes; shadows fall within shadow_radius_m around it.
        shadow_radius_m: 0 for no shadows.
        samples: Samples along each edge of a pixel for smooth outlines: 1, 2 or more.
        cull: Leave out triangles seen from behind (right for closed meshes).

    Raises:
        InputError: A size that is not positive, or a background of another size.
    """
    if width < 1 or height < 1 or samples < 1:
        raise InputError(f"picture {width}x{height} with {samples} samples; at least 1 each")
    matrix = camera.matrix if isinstance(camera, PinholeCamera) else np.asarray(camera, float)
    back = np.asarray(background)
    if back.shape not in ((3,), (height, width, 3)):
        raise InputError(f"background {back.shape}; (3,) or ({height}, {width}, 3) valid")
    light = light or Light()
    solid = solid or SolidTexture.none()
    scene = _Scene.of(meshes)
    intrinsics = np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]])
    rgb = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    object_id = np.full((height, width), -1, np.int32)
    if len(scene.faces):
        inverse_depth = np.zeros((height * samples, width * samples), np.float32)
        face_id = np.full(inverse_depth.shape, -1, np.int32)
        edges = np.empty((len(scene.faces), 9))
        rasterise(
            scene.vertices, scene.faces, intrinsics, samples, cull, inverse_depth, face_id, edges
        )
        lights = light.rows()
        shadow, shadow_frame = _shadow_map(scene, lights[0], shadow_centre, shadow_radius_m)
        shade(
            face_id, inverse_depth, edges, intrinsics, samples, scene.vertices, scene.normals,
            scene.texture, scene.colours, scene.faces, scene.face_object, scene.materials,
            lights, noise_volume(), solid.volume, solid.origin, 1.0 / solid.voxel_m, shadow,
            shadow_frame, rgb, alpha, depth, object_id,
        )  # fmt: skip
    picture = rgb * 255.0 + (1.0 - alpha)[..., None] * back.astype(np.float32) + 0.5
    return RenderResult(np.clip(picture, 0, 255).astype(np.uint8), depth, object_id, alpha, rgb)


@dataclass(frozen=True)
class _Scene:
    """All meshes in camera axes as one."""

    vertices: Floats
    normals: Floats
    texture: Floats
    colours: Floats
    faces: Indices
    face_object: Indices
    materials: Floats

    @classmethod
    def of(cls, meshes: Sequence[Mesh]) -> _Scene:
        counts = [len(mesh.vertices) for mesh in meshes]
        total = sum(counts)
        vertices, texture, colours = (np.empty((total, 3), np.float32) for _ in range(3))
        faces = np.empty((sum(len(mesh.faces) for mesh in meshes), 3), np.int32)
        face_object = np.empty(len(faces), np.int32)
        start = face_start = 0
        for number, mesh in enumerate(meshes):
            end, face_end = start + counts[number], face_start + len(mesh.faces)
            vertices[start:end] = mesh.camera_from_mesh.apply(mesh.vertices)
            texture[start:end] = mesh.vertices if mesh.texture is None else mesh.texture
            colours[start:end] = mesh.colours
            faces[face_start:face_end] = mesh.faces
            faces[face_start:face_end] += start
            face_object[face_start:face_end] = number
            start, face_start = end, face_end
        materials = np.array([mesh.material.row() for mesh in meshes], np.float32).reshape(-1, 16)
        normals = vertex_normals(vertices, faces)
        return cls(vertices, normals, texture, colours, faces, face_object, materials)


def _shadow_map(
    scene: _Scene, direction: Floats, centre: ArrayLike | None, radius_m: float
) -> tuple[Floats, Floats]:
    """Distances along the key light's rays, and the map from camera axes to them."""
    if centre is None or radius_m <= 0:
        return np.full((1, 1), 1e9, np.float32), np.zeros((3, 4), np.float32)
    helper = np.eye(3)[int(np.argmin(np.abs(direction)))]
    right = np.cross(direction, helper)
    right /= np.linalg.norm(right)
    down = np.cross(direction, right)
    scale = _SHADOW_SIZE / (2 * radius_m)
    linear = np.stack([scale * right, scale * down, -direction.astype(float)])
    middle: Array = np.array([_SHADOW_SIZE / 2, _SHADOW_SIZE / 2, 0.0])
    shift = middle - linear @ np.asarray(centre, float)
    frame = np.append(linear, shift[:, None], axis=1).astype(np.float32)
    depth = np.full((_SHADOW_SIZE, _SHADOW_SIZE), 1e9, np.float32)
    points = scene.vertices @ frame[:, :3].T + frame[:, 3]
    rasterise_shadow(points, scene.faces, depth)
    frame[2, 3] -= _SHADOW_BIAS_M
    return depth, frame
