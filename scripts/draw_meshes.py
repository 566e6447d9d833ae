"""The paper's Fig. 3's kind of picture: the network's meshes laid on real hands.

Each row shows crops of held-out photographs, of rendered hands in contorted poses, or of a video:
the crop, the mesh on it, and the mesh from the side. Which hands are shown does not depend on how
well the network does on them, unless `--worst` asks for those that it misreads most.

`python scripts/draw_meshes.py --photographs ../shared/data/photos --out out/bench/meshes.png`
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError, InputError, MediaError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.load import load_predictor
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig
from rejshand_ros.tracking.config import TrackingConfig
from rejshand_ros.tracking.crop import CropCamera
from rejshand_ros.tracking.load import load_tracker
from rejshand_ros.tracking.tracked_hand import TrackState
from rejshand_ros.tracking.wrist import wrist_position
from rejshand_ros.training import evaluate
from rejshand_ros.training.augment import BOX_SCALE, upright_roll
from rejshand_ros.training.crops import CropStore
from rejshand_ros.training.photographs import load_photographs
from rejshand_ros.training.synthetic import crops_of_samples
from rejshand_ros.viewing.mesh_overlay import draw_mesh, draw_mesh_turned, hand_mesh

_TILE = 224
_UNSEEN_SEED = 20_250_301


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=Path, help="folder with labels.jsonl")
    parser.add_argument("--video", type=Path, help="frames followed as the demo does")
    parser.add_argument("--rendered", type=int, default=0, help="rendered hands to choose from")
    parser.add_argument("--worst", action="store_true", help="those furthest off in the picture")
    parser.add_argument("--out", type=Path, default=Path("out/bench/meshes.png"))
    parser.add_argument("--weights", default=None)
    parser.add_argument("--rows", type=int, default=4, help="of each source")
    parser.add_argument("--columns", type=int, default=3, help="hands a row")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of hands")
    parser.add_argument("--cache", type=Path, default=Path("out/cache"))
    given = parser.parse_args(arguments)
    if not given.photographs and not given.video and given.rendered < 1:
        raise ConfigError("nothing to draw; valid: --photographs, --rendered, --video, or several")
    count = given.rows * given.columns
    tiles: list[NDArray[np.uint8]] = []
    predictor = load_predictor(given.weights, "cpu")
    stores: list[CropStore] = []
    if given.photographs:
        stores.append(load_photographs(given.photographs, given.cache)[1])
    if given.rendered:
        stores.append(rendered_hands(given.rendered, given.seed))
    for store in stores:
        chosen = (
            worst_hands(predictor, store, count)
            if given.worst
            else hands_of_all_folders(store, count, given.seed)
        )
        tiles += crop_tiles(predictor, store, chosen)
    if given.video:
        tiles += video_tiles(given.video, given.weights, count)
    rows = [
        np.hstack(tiles[i : i + given.columns])
        for i in range(0, len(tiles) - given.columns + 1, given.columns)
    ]
    if not rows:
        raise MediaError(f"fewer than {given.columns} hands were found; nothing to draw")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(given.out), np.vstack(rows)):
        raise MediaError(f"cannot write {given.out}")
    print(given.out)


def rendered_hands(count: int, seed: int) -> CropStore:
    """Hands whose joints stand anywhere within their limits, from seeds that training left out."""
    config = SyntheticConfig(
        seed=_UNSEEN_SEED + seed, size=_TILE, box_scale=(1.5, 1.6), uniform_pose_share=1.0
    )
    generator = SyntheticGenerator(config)
    return crops_of_samples([generator.sample(number) for number in range(count)], "rendered")


def worst_hands(predictor: Predictor, store: CropStore, count: int) -> NDArray[np.intp]:
    """Hands of a store (indices) whose points lie furthest off in the picture, worst first."""
    answers = evaluate.answer(predictor, evaluate.cut_upright(store, predictor.input_size))
    error = evaluate.errors_2d(answers).mean(axis=1)
    return np.flatnonzero(store.has_hand)[np.argsort(error)[::-1][:count]]


def hands_of_all_folders(store: CropStore, count: int, seed: int) -> NDArray[np.intp]:
    """Hands of a store (indices), an equal share from each of its folders."""
    rng = np.random.default_rng(seed)
    hands = rng.permutation(np.flatnonzero(store.has_hand))
    folders = np.array([str(name).rsplit("-", 1)[0] for name in store.group[hands]])
    # Round robin over the folders, so that no large one crowds the others out.
    turn = np.empty(len(hands), int)
    for folder in np.unique(folders):
        turn[folders == folder] = np.arange(np.count_nonzero(folders == folder))
    return hands[np.lexsort((folders, turn))][:count]


def crop_tiles(
    predictor: Predictor, store: CropStore, chosen: NDArray[np.intp]
) -> list[NDArray[np.uint8]]:
    """Hands of a store as the tracker would cut them."""
    tiles = []
    for index in chosen:
        keypoints = store.keypoints_2d[index].astype(float)
        low, high = keypoints.min(0), keypoints.max(0)
        image = store.crops[index]
        camera = PinholeCamera(len(image), len(image), store.matrix[index].astype(float))
        side = BOX_SCALE * float((high - low).max())
        tiles.append(_tile(predictor, image, camera, (low + high) / 2, side, keypoints))
    return tiles


def _tile(
    predictor: Predictor,
    image: NDArray[np.uint8],
    camera: PinholeCamera,
    centre: Array,
    side_px: float,
    keypoints: Array,
) -> NDArray[np.uint8]:
    """Crop, mesh on the crop, mesh from the side."""
    roll = upright_roll(keypoints)
    cut = CropCamera.around(camera, centre, side_px, roll, predictor.input_size)
    estimate = predictor.predict(cut.warp(image)[None])[0]
    shown = CropCamera.around(camera, centre, side_px, roll, _TILE)
    pixels = estimate.keypoints_2d * _TILE - 0.5
    virtual = PinholeCamera(_TILE, _TILE, shown.matrix)
    return _triple(
        shown.warp(image), virtual, pixels, estimate.keypoints_3d, estimate.vertices, False
    )


def _triple(
    picture: NDArray[np.uint8],
    camera: PinholeCamera,
    pixels: Array,
    keypoints: Array,
    vertices: Array,
    mirrored: bool,
) -> NDArray[np.uint8]:
    try:
        place = wrist_position(pixels, keypoints, camera)
    except InputError:
        # 2D and 3D contradict each other: shown as it is, without a mesh on it.
        return np.hstack([picture, picture, np.full_like(picture, 245)])
    mesh = hand_mesh(vertices + place, mirrored=mirrored)
    return np.hstack([picture, draw_mesh(picture, mesh, camera), draw_mesh_turned(mesh, _TILE, 70)])


def video_tiles(path: Path, weights: str | None, count: int) -> list[NDArray[np.uint8]]:
    """Evenly spaced frames of a video in which a hand is followed."""
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise MediaError(f"video {path} cannot be opened")
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    tracker = load_tracker(
        TrackingConfig(sides=(Side.RIGHT, Side.LEFT)), weights=weights, device="cpu"
    )
    wanted = set(np.linspace(0.04 * frames, 0.97 * frames, count).astype(int).tolist())
    tiles = []
    for number in range(frames):
        good, image = capture.read()
        if not good:
            break
        height, width = image.shape[:2]
        camera = PinholeCamera.from_field_of_view(width, height)
        hands = tracker.update(np.asarray(image, np.uint8), round(number / rate * 1e9), camera)
        seen = [hand for hand in hands if hand.state is not TrackState.LOST]
        if number not in wanted or not seen:
            continue
        hand = seen[0]
        low, high = hand.keypoints_2d.min(0), hand.keypoints_2d.max(0)
        side = 1.5 * float((high - low).max())
        cut = CropCamera.around(camera, (low + high) / 2, side, 0.0, _TILE)
        virtual = PinholeCamera(_TILE, _TILE, cut.matrix)
        tiles.append(
            _triple(
                cut.warp(np.asarray(image, np.uint8)),
                virtual,
                cut.from_image(hand.keypoints_2d) * _TILE - 0.5,
                cut.points_to_crop(hand.keypoints_3d),
                cut.points_to_crop(hand.vertices),
                hand.side is Side.LEFT,
            )
        )
    capture.release()
    return tiles


if __name__ == "__main__":
    main()
