"""A tiny data set in FreiHAND's file format, and a MANO file whose joints fit it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import cv2
import numpy as np

from rejshand_ros.hand.mano import KEYPOINT_FROM_MANO, MANO_FINGERTIPS
from rejshand_ros.hand.template import load_template
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig


def vertex_order() -> np.ndarray:
    """(778,) the template's vertices so ordered that its fingertips stand where MANO's do."""
    order = np.arange(778)
    for ours, theirs in zip(load_template().fingertip_vertices, MANO_FINGERTIPS, strict=True):
        place = int(np.flatnonzero(order == ours)[0])
        order[[place, theirs]] = order[[theirs, place]]
    return order


def write_mano(path: Path) -> Path:
    """A file of MANO's layout that holds the project's own template."""
    template, order = load_template(), vertex_order()
    regressor = template.joint_regressor[:, order]
    joints = np.zeros((16, 778))
    for ours, theirs in enumerate(KEYPOINT_FROM_MANO):
        if theirs < 16:
            joints[theirs] = regressor[ours]
    parents = [4294967295, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]
    place = np.argsort(order)
    content = {
        "v_template": template.vertices[order],
        "shapedirs": np.zeros((778, 3, 10)),
        "posedirs": np.zeros((778, 3, 135)),
        "J_regressor": joints,
        "weights": np.full((778, 16), 1 / 16),
        "f": place[template.faces][:1538].astype(np.uint32),
        "kintree_table": np.array([parents, range(16)], np.int64),
        "hands_mean": np.zeros(45),
        "hands_components": np.eye(45),
    }
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def write_freihand(
    folder: Path, *, annotations: int = 4, versions: int = 2, size: int = 96, seed: int = 0
) -> Path:
    """Training images (some versions of each annotation) and as many evaluation images."""
    config = SyntheticConfig(
        seed=seed, size=size, box_scale=(1.5, 1.7), negative_share=0.0, left_share=0.0,
        second_hand_share=0.0, backgrounds=4,
    )  # fmt: skip
    generator, order = SyntheticGenerator(config), vertex_order()
    for number, (split, copies) in enumerate((("training", versions), ("evaluation", 1))):
        samples = [generator.sample(number * annotations + i) for i in range(annotations)]
        content = {
            "K": [s.matrix for s in samples],
            "xyz": [s.keypoints_3d + s.root for s in samples],
            "verts": [(s.vertices + s.root)[order] for s in samples],
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in content.items():
            text = json.dumps([np.asarray(row).tolist() for row in rows])
            (folder / f"{split}_{name}.json").write_text(text)
        images = folder / split / "rgb"
        images.mkdir(parents=True, exist_ok=True)
        for i in range(copies * annotations):
            tinted = np.clip(
                samples[i % annotations].image * (1.0 - 0.1 * (i // annotations)), 0, 255
            )
            cv2.imwrite(str(images / f"{i:08d}.jpg"), tinted.astype(np.uint8))
    return folder
