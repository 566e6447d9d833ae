"""The demo's default input: a rendered clip of one hand, with its exact truth beside it.

`python -m rejshand_ros.synthetic.clip OUT.mp4` writes OUT.mp4 and OUT.npz.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import InputError, ModelFileError
from rejshand_ros.geometry import Array, PinholeCamera, RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.kinematics import HandParameters, pose_hand
from rejshand_ros.hand.template import TEMPLATE_PATH, load_template
from rejshand_ros.synthetic import scene
from rejshand_ros.synthetic.appearance import linear
from rejshand_ros.synthetic.mesh import Light, Material, Mesh
from rejshand_ros.synthetic.motion import HandMotion, demo_keys, interpolate
from rejshand_ros.synthetic.primitives import tube
from rejshand_ros.synthetic.rasterizer import render
from rejshand_ros.synthetic.room import room_picture
from rejshand_ros.synthetic.skin import skin_marks

FIELD_OF_VIEW_DEG = 60.0
_FOREARM_M = 0.45
_MARGIN_PX = 4

_LIGHT = Light(
    direction=np.array([-0.45, -0.75, -0.75]),
    colour=np.array([0.78, 0.74, 0.68]),
    fill_direction=np.array([0.9, 0.0, -0.5]),
    fill_colour=np.array([0.14, 0.16, 0.2]),
    sky=np.array([0.30, 0.31, 0.33]),
    ground=np.array([0.2, 0.18, 0.16]),
)
_SKIN = Material(
    wrap=0.08, specular=0.06, shininess=14, grain_per_m=600, grain=0.05, blotch_per_m=70,
    blotch=0.07, translucency=0.2, solid=1.0, crease=0.5, redness=0.22, nail=0.9, palm=0.12,
    bump=0.12,
)  # fmt: skip
_CLOTH = Material(grain_per_m=900, grain=0.12, blotch_per_m=30, blotch=0.1, bump=0.25, specular=0.0)


@dataclass(frozen=True)
class ClipTruth:
    """What a rendered clip shows.

    Attributes:
        uv: (n, 21, 2) pixels.
        xyz: (n, 21, 3) metres, camera axes.
        vertices: (n, 778, 3) metres, camera axes.
        camera_matrix: (3, 3) pixels.
        rate_hz: Frames a second.
        side: Which hand.
    """

    uv: Array
    xyz: Array
    vertices: Array
    camera_matrix: Array
    rate_hz: float
    side: Side


def load_clip_truth(path: Path) -> ClipTruth:
    """Read the truth beside a rendered clip.

    Raises:
        ModelFileError: It is missing or something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return ClipTruth(
                archive["uv"].astype(float),
                archive["xyz"].astype(float),
                archive["vertices"].astype(float),
                archive["K"].astype(float),
                float(archive["fps"]),
                Side(str(archive["side"])),
            )
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{path} is not the truth of a rendered clip: {error}") from error


def render_clip(
    path_mp4: Path,
    truth_npz: Path,
    seconds: float = 12.0,
    fps: float = 30.0,
    width: int = 640,
    height: int = 480,
    seed: int = 0,
    side: Side = Side.RIGHT,
) -> None:
    """Render the demo clip and its truth; both appear under their names when complete.

    Args:
        path_mp4: Video to write.
        truth_npz: Truth to write: uv, xyz, vertices, K, fps, side.
        seconds: Length.
        fps: Frames a second.
        width: Pixels, even.
        height: Pixels, even.
        seed: Of the room's furniture and the camera's noise.
        side: Which hand; the left one moves as the right one's mirror image.

    Raises:
        InputError: The clip would be empty.
        MediaError: The video cannot be written.
    """
    # The writer needs PyAV; what only reads a truth does not.
    from rejshand_ros.viewing.video import VideoWriter

    count = round(seconds * fps)
    if count < 1:
        raise InputError(f"clip of {seconds} s at {fps} Hz has no frame; at least one is needed")
    camera = PinholeCamera.from_field_of_view(width, height, FIELD_OF_VIEW_DEG, assumed=False)
    motion = interpolate(demo_keys(seconds), np.arange(count) / fps)
    posed = pose_hand(load_template(), HandParameters.of(motion.angles))
    mirror = np.array([-1.0 if side is Side.LEFT else 1.0, 1.0, 1.0])

    def placed(points: Array) -> Array:
        turned = points @ np.swapaxes(motion.camera_from_wrist, 1, 2)
        return np.asarray((turned + motion.position[:, None]) * mirror)

    keypoints, vertices = placed(posed.keypoints), placed(posed.vertices)
    room = room_picture(camera, _LIGHT, seed)
    rng = np.random.default_rng((seed, 12))
    # Noise of a wide frame, shifted anew for each: drawing it costs more than rendering.
    noise = rng.normal(0, 2.0 * 32, (height + 64, width + 64, 3)).astype(np.int16)
    with VideoWriter(path_mp4, width, height, fps, quality=20) as video:
        for number in range(count):
            meshes = _meshes(motion, number, side, vertices[number], mirror)
            picture = _frame(meshes, camera, room, keypoints[number])
            y, x = rng.integers(0, 64, 2)
            grains = noise[y : y + height, x : x + width]
            noisy = cv2.addWeighted(picture, 1.0, grains, 1 / 32, 0.0, dtype=cv2.CV_8U)
            video.write(np.asarray(noisy[..., ::-1], np.uint8))
    _write_truth(truth_npz, camera, keypoints, vertices, fps, side)


def ensure_default_clip(cache_dir: Path, side: Side = Side.RIGHT) -> tuple[Path, Path]:
    """The default clip and its truth in a cache folder; rendered if they are not there yet.

    The names carry a hash of the code and the template that make them, so that a changed renderer
    makes a new clip. Safe against other processes that do the same at the same time.

    Returns:
        Paths of the MP4 and of the npz.
    """
    stem = f"hand_{side}_{_version()}"
    video, truth = cache_dir / f"{stem}.mp4", cache_dir / f"{stem}.npz"
    if not (video.is_file() and truth.is_file()):
        cache_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".clip_", dir=cache_dir) as folder:
            draft = Path(folder)
            render_clip(draft / video.name, draft / truth.name, side=side)
            (draft / truth.name).replace(truth)
            (draft / video.name).replace(video)
    return video, truth


def _version() -> str:
    """Hash of everything that a clip's look depends on."""
    digest = hashlib.sha256()
    rooms = Path(__file__).parent, TEMPLATE_PATH.parent
    for path in sorted(p for room in rooms for p in room.glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(TEMPLATE_PATH.read_bytes())
    return digest.hexdigest()[:12]


def _meshes(
    motion: HandMotion, number: int, side: Side, vertices: Array, mirror: Array
) -> list[Mesh]:
    """The hand with its forearm and sleeve at one frame, camera axes."""
    template = load_template()
    wrist = RigidTransform(motion.camera_from_wrist[number], motion.position[number])
    flexion, deviation = motion.wrist[number]
    path = scene.forearm_path(flexion, deviation, _FOREARM_M)
    skin = linear(np.array([214, 166, 138]))
    arm = scene.forearm(path, 1.0, skin, _SKIN, wrist)
    distance = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = np.linspace(0.11, distance[-1], 6)
    centres = np.stack([np.interp(at, distance, path[:, axis]) for axis in range(3)], 1)
    radii = np.outer(np.linspace(0.041, 0.06, 6), [1.0, 0.85])
    cuff = Mesh(*tube(centres, radii, [0, 1, 0]), linear(np.array([58, 78, 112])), wrist,
                material=_CLOTH)  # fmt: skip
    hand = Mesh(vertices, template.faces, skin, texture=template.vertices, material=_SKIN)
    meshes = [hand]
    for mesh in (arm, cuff):
        points = wrist.apply(mesh.vertices) * mirror
        meshes.append(
            Mesh(points, mesh.faces, mesh.colours, texture=mesh.vertices, material=mesh.material)
        )
    if side is Side.RIGHT:
        return meshes
    return [
        Mesh(m.vertices, m.faces[:, ::-1], m.colours, texture=m.texture, material=m.material)
        for m in meshes
    ]


def _frame(
    meshes: list[Mesh], camera: PinholeCamera, room: NDArray[np.uint8], keypoints: Array
) -> NDArray[np.uint8]:
    """One picture (height, width, 3) RGB: only the part where the hand and its arm are is drawn."""
    pixels = np.concatenate([camera.project(mesh.vertices) for mesh in meshes])
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(0)).astype(int) - _MARGIN_PX, 0, size - 1)
    high = np.clip(np.ceil(pixels.max(0)).astype(int) + _MARGIN_PX, low + 1, size)
    matrix = camera.matrix.copy()
    matrix[:2, 2] -= low
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    result = render(
        meshes, matrix, int(high[0] - low[0]), int(high[1] - low[1]), _LIGHT,
        background=room[window], solid=skin_marks(), shadow_centre=keypoints.mean(0),
        shadow_radius_m=0.15,
    )  # fmt: skip
    picture = room.copy()
    picture[window] = result.rgb
    return picture


def _write_truth(
    path: Path, camera: PinholeCamera, keypoints: Array, vertices: Array, fps: float, side: Side
) -> None:
    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            uv=camera.project(keypoints).astype(np.float32),
            xyz=keypoints.astype(np.float32),
            vertices=vertices.astype(np.float32),
            K=camera.matrix,
            fps=np.float64(fps),
            side=np.str_(str(side)),
        )
    temporary.replace(path)


def main() -> None:
    """Write a clip and its truth."""
    parser = argparse.ArgumentParser(description="render the demo clip with its truth")
    parser.add_argument("out", type=Path, help="MP4 to write; the truth goes beside it as .npz")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", choices=[str(s) for s in Side], default=str(Side.RIGHT))
    given = parser.parse_args()
    render_clip(
        given.out, given.out.with_suffix(".npz"), given.seconds, given.fps, given.width,
        given.height, given.seed, Side(given.side),
    )  # fmt: skip


if __name__ == "__main__":
    main()
