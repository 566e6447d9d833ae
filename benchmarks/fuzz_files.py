"""Files as a damaged disk or a careless editor leaves them: settings, URDFs, weights, models."""

from __future__ import annotations

import io
import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import sparse

from benchmarks.fuzz_mutations import chosen, damaged_bytes, damaged_text
from benchmarks.fuzz_run import Attempt
from rejshand_ros.command.driver import load_driver
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.hand.mano import load_mano
from rejshand_ros.hand.restricted_pickle import read_pickled_arrays
from rejshand_ros.inference.load import weights_facts, weights_file
from rejshand_ros.nodes.calibration_file import load_calibration as load_camera
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.calibration import load_calibration as load_person
from rejshand_ros.retargeting.robot_hand import read_robot_hand
from rejshand_ros.simulation.scene import load_scene
from rejshand_ros.training.config import load_train_config
from rejshand_ros.urdf import read_urdf

_CAMERA = {
    "image_width": 640,
    "image_height": 480,
    "distortion_model": "plumb_bob",
    "camera_matrix": {"rows": 3, "cols": 3, "data": [600.0, 0, 320, 0, 600, 240, 0, 0, 1]},
    "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1, 0, 0, 0, 0]},
}
_PERSON = {
    "person": "ada",
    "hand": "allegro",
    "side": "right",
    "quality": 0.9,
    "fingers": {"thumb": {"length_m": 0.1, "scale": 1.2, "offset_m": [0.0, 0.0, 0.0]}},
}


def _shipped(relative: str) -> Any:
    return yaml.safe_load(resource_path(relative).read_text())


def configs(folder: Path) -> Attempt:
    """YAML of robot hands, scenes, drivers, training, cameras and people's calibrations."""
    hands = folder / "hands"
    for name in ("hands", "urdf"):
        (folder / name).mkdir()
    hand = _shipped("config/hands/allegro_right.yaml")
    urdf = resource_path("urdf/allegro_right.urdf")
    shutil.copyfile(urdf, folder / "urdf" / urdf.name)
    hand["urdf"] = f"../urdf/{urdf.name}"
    readers: tuple[tuple[Any, Path, Callable[[Path], Any]], ...] = (
        (hand, hands / "hand.yaml", read_robot_hand),
        (_shipped("config/scenes/mug.yaml"), folder / "scene.yaml", lambda p: load_scene(str(p))),
        (
            _shipped("config/drivers/allegro_v5.yaml"),
            folder / "driver.yaml",
            lambda path: load_driver(str(path), Side.RIGHT),
        ),
        (_shipped("config/training/light.yaml"), folder / "train.yaml", load_train_config),
        (_CAMERA, folder / "camera.yaml", lambda path: load_camera(str(path))),
        (_PERSON, folder / "person.yaml", lambda path: load_person(path, "allegro", "right")),
    )

    def attempt(number: int) -> None:
        (tree, path, read), rest = chosen(readers, number)
        path.write_bytes(damaged_text(tree, rest))
        read(path)

    return attempt


def urdfs(folder: Path) -> Attempt:
    """URDFs of the shipped hands."""
    seeds = [path.read_bytes() for path in sorted(resource_path("urdf").glob("*_right.urdf"))]

    def attempt(number: int) -> None:
        seed, rest = chosen(seeds, number)
        if rest % 2:
            seed = _odd_attribute(seed, rest)
        path = folder / "hand.urdf"
        path.write_bytes(damaged_bytes(seed, rest) if rest % 3 else seed)
        read_urdf.cache_clear()
        read_urdf(path)

    return attempt


def _odd_attribute(seed: bytes, number: int) -> bytes:
    """One attribute of an XML file with another value."""
    rng = random.Random(number)
    parts = seed.split(b'"')
    odd = (
        b"",
        b"0",
        b"-1",
        b"nan",
        b"inf",
        b"1e999",
        b"1 2",
        b"x",
        b"base_link",
        b"../../x",
        b"&lt;",
    )
    parts[rng.randrange(1, len(parts), 2)] = rng.choice(odd)
    return b'"'.join(parts)


def checkpoints(folder: Path) -> Attempt:
    """Weights in .safetensors with their .json, and a training run's state (.pt)."""
    import torch
    from safetensors.torch import save

    from rejshand_ros.network.checkpoint import load_card, load_network
    from rejshand_ros.training.state import network_of_run

    facts = json.loads(weights_file("default", ".json").read_text())
    # Nearly all header: a file whose numbers alone are damaged is a whole one.
    small = save({"a": torch.zeros(1, 1), "b": torch.ones(1, dtype=torch.half)})
    buffer = io.BytesIO()
    torch.save({"step": 3, "network": {"a": torch.zeros(4, 3)}, "averages": {}}, buffer)
    state = buffer.getvalue()
    path = folder / "weights.safetensors"

    def attempt(number: int) -> None:
        which, rest = number % 4, number // 4
        card = damaged_text(facts, rest, json.dumps) if which < 2 else json.dumps(facts).encode()
        path.with_suffix(".json").write_bytes(card)
        if which < 2:
            weights_facts(path)
            load_card(path)
        elif which == 2:
            path.write_bytes(damaged_bytes(small, rest))
            load_network(path)
        else:
            saved = folder / "state.pt"
            saved.write_bytes(damaged_bytes(state, rest))
            network_of_run(saved)

    return attempt


def hand_models(folder: Path) -> Attempt:
    """MANO files: pickles of every protocol, npz, and streams of pickle instructions."""
    rng = np.random.default_rng(0)
    arrays = {
        "v_template": rng.normal(size=(7, 3)),
        "f": rng.integers(0, 7, (5, 3)).astype(np.uint32),
        "J_regressor": sparse.csc_matrix(rng.random((4, 7)) > 0.5, dtype=float),
        "other": sparse.coo_matrix(np.eye(3)),
        "name": "MANO",
        "list": [1, None, {"x": (1.5, b"bytes")}],
    }
    seeds = [pickle.dumps(arrays, protocol=protocol) for protocol in range(6)]
    plain: dict[str, Any] = {
        name: array for name, array in arrays.items() if isinstance(array, np.ndarray)
    }
    buffer = io.BytesIO()
    np.savez(buffer, **plain)
    compressed = io.BytesIO()
    np.savez_compressed(compressed, **plain)
    packed = (buffer.getvalue(), compressed.getvalue())

    def attempt(number: int) -> None:
        which, rest = number % 8, number // 8
        if which < 6:
            path = folder / "hand.pkl"
            path.write_bytes(damaged_bytes(seeds[which], rest))
            read_pickled_arrays(path)
        elif which == 6:
            path = folder / "stream.pkl"
            path.write_bytes(_instructions(rest))
            load_mano(path)
        else:
            path = folder / "hand.npz"
            path.write_bytes(damaged_bytes(packed[rest % 2], rest // 2))
            load_mano(path)

    return attempt


_INSTRUCTIONS = (
    b"}", b"]", b")", b"(", b"t", b"l", b"d", b"0", b"2", b"1", b"e", b"s", b"u", b"a", b"b", b"R",
    b"N", b"K\x05", b"J\xff\xff\xff\x7f", b"q\x00", b"h\x00", b"r\xff\xff\xff\x7f", b"\x94",
    b"X\x01\x00\x00\x00x", b"X\xff\xff\xff\x7f", b"U\x03abc", b"\x8a\x01\x05",
    b"\x8b\xff\xff\xff\x7f", b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x81", b"\x85", b"\x86",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00", b"cos\nsystem\n", b"cbuiltins\nset\n",
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n",
    b"cscipy.sparse.csc\ncsc_matrix\n", b"cchumpy.ch\nCh\n", b"ccopy_reg\n_reconstructor\n",
    b"c_codecs\nencode\n", b"Pid\n", b"V\\u0041\n", b"I00\n", b"L5L\n", b"F1e999\n", b"p1\n",
    b"g1\n",
)  # fmt: skip


def _instructions(number: int) -> bytes:
    """A pickle made of instructions in any order."""
    rng = random.Random(number)
    length = rng.choice((3, 8, 20, 60, 3000))
    return b"\x80\x02}" + b"".join(rng.choices(_INSTRUCTIONS, k=length)) + b"."
