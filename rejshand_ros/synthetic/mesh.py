"""What the rasteriser draws: meshes with their materials, and the light that falls on them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, RigidTransform

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Material:
    """How a surface answers to light; its colour stands in the mesh.

    The field order is the column order that the shading kernel reads.

    Attributes:
        wrap: How far diffuse light reaches past the terminator, 0 (hard) to 1.
        specular: Strength of the highlight.
        shininess: Exponent of the highlight (Blinn-Phong).
        grain_per_m: Cells a metre of the fine noise on the colour.
        grain: Amplitude of the fine noise, share of the colour.
        blotch_per_m: Cells a metre of the coarse noise on the colour.
        blotch: Amplitude of the coarse noise, share of the colour.
        stripes_per_m: Stripes a metre along the texture's z; 0 for none.
        stripe: Change of the colour inside a stripe, share of the colour.
        translucency: Extra wrap of red (and a third of it of green), as light does inside skin.
        solid: 1 where the solid texture of the scene (creases, nails) belongs to this surface.
        crease: Strength of the solid texture's creases.
        redness: Strength of its reddening.
        nail: Strength of its nails.
        palm: How much lighter the palm is than the back.
        bump: Strength of the fine noise as relief.
    """

    wrap: float = 0.05
    specular: float = 0.05
    shininess: float = 20.0
    grain_per_m: float = 600.0
    grain: float = 0.0
    blotch_per_m: float = 60.0
    blotch: float = 0.0
    stripes_per_m: float = 0.0
    stripe: float = 0.0
    translucency: float = 0.0
    solid: float = 0.0
    crease: float = 0.0
    redness: float = 0.0
    nail: float = 0.0
    palm: float = 0.0
    bump: float = 0.0

    def row(self) -> Floats:
        """The fields as the shading kernel reads them."""
        return np.array(astuple(self), np.float32)


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in the frame of its own object.

    Attributes:
        vertices: (N, 3) metres.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        colours: (N, 3) linear RGB 0..1 of each vertex, or (3,) for all.
        camera_from_mesh: Pose in the camera's frame.
        texture: (N, 3) metres, coordinates for noise and solid texture; the vertices themselves
            where not given.
        material: Answer to light.
    """

    vertices: Array | Floats
    faces: Indices
    colours: Array | Floats = field(default_factory=lambda: np.full(3, 0.5, np.float32))
    camera_from_mesh: RigidTransform = field(default_factory=RigidTransform)
    texture: Array | Floats | None = None
    material: Material = field(default_factory=Material)

    def __post_init__(self) -> None:
        """Check the shapes."""
        vertices, faces = np.shape(self.vertices), np.shape(self.faces)
        if len(vertices) != 2 or vertices[1] != 3 or len(faces) != 2 or faces[1] != 3:
            raise InputError(f"mesh of vertices {vertices} and faces {faces}; (N, 3), (F, 3) valid")
        if np.shape(self.colours) not in ((3,), vertices):
            raise InputError(f"mesh colours {np.shape(self.colours)}; (3,) or {vertices} valid")
        if self.texture is not None and np.shape(self.texture) != vertices:
            raise InputError(f"mesh texture {np.shape(self.texture)}; {vertices} valid")

    def placed(self, camera_from_mesh: RigidTransform) -> Mesh:
        """The same mesh elsewhere."""
        return Mesh(
            self.vertices, self.faces, self.colours, camera_from_mesh, self.texture, self.material
        )


@dataclass(frozen=True)
class Light:
    """Two directional lights and a sky, in camera axes.

    Attributes:
        direction: (3,) from the surface towards the key light; it alone throws shadows.
        colour: (3,) linear RGB of the key light.
        fill_direction: (3,) towards the fill light.
        fill_colour: (3,) linear RGB of the fill light.
        up: (3,) towards the sky.
        sky: (3,) linear RGB of ambient light from above.
        ground: (3,) linear RGB of ambient light from below.
    """

    direction: Array = field(default_factory=lambda: np.array([-0.4, -0.7, -0.6]))
    colour: Array = field(default_factory=lambda: np.full(3, 0.75))
    fill_direction: Array = field(default_factory=lambda: np.array([0.7, 0.1, -0.7]))
    fill_colour: Array = field(default_factory=lambda: np.full(3, 0.15))
    up: Array = field(default_factory=lambda: np.array([0.0, -1.0, 0.0]))
    sky: Array = field(default_factory=lambda: np.full(3, 0.35))
    ground: Array = field(default_factory=lambda: np.full(3, 0.2))

    def rows(self) -> Floats:
        """(7, 3) the fields in order, directions of unit length, for the shading kernel."""
        rows = np.array(astuple(self), np.float64)
        for index in (0, 2, 4):
            rows[index] /= max(float(np.linalg.norm(rows[index])), 1e-9)
        return rows.astype(np.float32)


@dataclass(frozen=True)
class SolidTexture:
    """Marks of the skin as a volume around the hand at rest.

    Attributes:
        volume: (X, Y, Z, 4) uint8: crease, redness, nail, palm.
        origin: (3,) metres, centre of the first voxel.
        voxel_m: Edge of a voxel.
    """

    volume: NDArray[np.uint8]
    origin: Floats
    voxel_m: float

    @classmethod
    def none(cls) -> SolidTexture:
        """An empty one for scenes without skin."""
        return cls(np.zeros((2, 2, 2, 4), np.uint8), np.zeros(3, np.float32), 1.0)
