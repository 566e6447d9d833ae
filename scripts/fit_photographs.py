"""Fit the template hand to every hand that the teacher marked in the photographs.

Run from the repository's root: `python scripts/fit_photographs.py` (about a minute on one core).
Writes out/cache/photo_fits.npz, one row a hand:

- image (str), image_index (line of labels.jsonl), hand_index, group (str), side (str);
- uv (m, 21, 2) the teacher's pixels, uv_fit (m, 21, 2) the fit's;
- xyz_rel_joint9 (m, 21, 3) and vertices_rel_joint9 (m, 778, 3, float16), metres, axes of the
  photograph's camera, relative to keypoint 9; joint9 (m, 3) its place in the camera frame;
- focal_px (m,), of the assumed camera;
- angles (m, 22), bone_scales (m, 20), rotation (m, 3, 3), translation (m, 3): the fit itself;
- mirrored (m,) True for left hands (fitted as mirrored right ones; all arrays above are of the
  photograph as it is);
- reprojection_px (m,), box_side_px (m,): square hull of the keypoints times 1.25;
- agreement (m,): the teacher's with itself on a close-up, share of the box side, nan for none.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from rejshand_ros.errors import ModelFileError, RejshandError
from rejshand_ros.geometry import PinholeCamera
from rejshand_ros.hand.fit import fit_hands

BOX_MARGIN = 1.25
ASSUMED_FOV_DEG = 60.0
ROOT = Path(__file__).resolve().parents[1]


def read_hands(labels: Path) -> list[dict[str, object]]:
    """One dict a marked hand, from labels.jsonl.

    Raises:
        ModelFileError: The file is missing or a line is not what it should be.
    """
    if not labels.is_file():
        raise ModelFileError(f"labels {labels} do not exist")
    rows: list[dict[str, object]] = []
    for number, line in enumerate(labels.read_text().splitlines()):
        try:
            entry = json.loads(line)
            camera = PinholeCamera.from_field_of_view(
                entry["width"], entry["height"], ASSUMED_FOV_DEG
            )
            for index, hand in enumerate(entry.get("hands") or []):
                agreement = hand.get("agreement")
                rows.append(
                    {
                        "image": entry["image"],
                        "image_index": number,
                        "hand_index": index,
                        "group": str(entry.get("group", "")),
                        "side": hand["side"].lower(),
                        "uv": np.array(hand["uv"], float),
                        "xyz": np.array(hand["xyz"], float),
                        "agreement": np.nan if agreement is None else float(agreement),
                        "camera": camera.matrix,
                    }
                )
        except (KeyError, ValueError, TypeError) as error:
            raise ModelFileError(f"{labels} line {number + 1} is not a label: {error}") from error
    return rows


def fit(rows: list[dict[str, object]]) -> dict[str, np.ndarray]:
    """Fit all hands; the arrays of the file."""

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows])

    uv, matrices = column("uv"), column("camera")
    mirrored = column("side") == "left"
    hands = fit_hands(uv, matrices, hint=column("xyz"), mirrored=mirrored)
    joint9 = hands.keypoints[:, 9]
    projected = hands.keypoints @ np.swapaxes(matrices, 1, 2)
    vertices = np.concatenate([v[None] for v in hands.vertices()]) - joint9[:, None]
    names = ("image", "image_index", "hand_index", "group", "side", "agreement")
    return {
        **{name: column(name) for name in names},
        "uv": uv.astype(np.float32),
        "uv_fit": (projected[..., :2] / projected[..., 2:]).astype(np.float32),
        "xyz_rel_joint9": (hands.keypoints - joint9[:, None]).astype(np.float32),
        "vertices_rel_joint9": vertices.astype(np.float16),
        "joint9": joint9.astype(np.float32),
        "focal_px": matrices[:, 0, 0].astype(np.float32),
        "angles": hands.parameters.angles.astype(np.float32),
        "bone_scales": hands.parameters.bone_scales.astype(np.float32),
        "rotation": hands.rotation.astype(np.float32),
        "translation": hands.translation.astype(np.float32),
        "mirrored": mirrored,
        "reprojection_px": hands.reprojection_error.astype(np.float32),
        "box_side_px": (BOX_MARGIN * np.ptp(uv, axis=1).max(axis=1)).astype(np.float32),
    }


def main() -> None:
    """Read the labels, fit, write the cache and say how well it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, default=ROOT / "../shared/data/photos/labels.jsonl")
    parser.add_argument("--out", type=Path, default=ROOT / "out/cache/photo_fits.npz")
    arguments = parser.parse_args()
    try:
        arrays = fit(read_hands(arguments.labels))
    except RejshandError as error:
        raise SystemExit(f"fit_photographs: {error}") from None
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # Whoever reads meanwhile sees the old file or the new one, never half of one.
    partial = arguments.out.with_suffix(".partial.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(arguments.out)
    share = arrays["reprojection_px"] / arrays["box_side_px"]
    print(
        f"{len(share)} hands in {arguments.out}: reprojection error over box side "
        f"median {np.median(share):.4f}, 95 % under {np.percentile(share, 95):.4f}"
    )


if __name__ == "__main__":
    main()
