"""Every runtime says what the reference says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.errors import ModelFileError
from rejshand_ros.inference.load import load_predictor

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("timm", reason="the training extra is not installed")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random weights, saved and exported."""
    from rejshand_ros.network.build import build_network
    from rejshand_ros.network.checkpoint import load_network, save_network
    from rejshand_ros.network.config import network_preset
    from rejshand_ros.network.export import export_openvino

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_network(build_network(network_preset("light")), path)
    # Saved in half precision: the reference is what is read back.
    export_openvino(load_network(path)[0], path.with_suffix(".xml"))
    return path


def _crops(size: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, size // 8, size // 8, 1), np.uint8))


# Random weights amplify rounding, which differs between processors: 0.43 mm was seen in f32.
@pytest.mark.parametrize(("precision", "millimetres"), [("f32", 1.0), ("auto", 20.0)])
def test_openvino_agrees_with_the_reference(
    weights: Path, precision: str, millimetres: float
) -> None:
    reference = load_predictor(weights, "torch-cpu")
    runtime = load_predictor(weights, "cpu", precision=precision)
    crops = _crops(reference.input_size)
    for ours, theirs in zip(runtime.predict(crops), reference.predict(crops), strict=True):
        distance = np.linalg.norm(ours.vertices - theirs.vertices, axis=1).max()
        assert 1e3 * distance < millimetres
        assert abs(ours.presence - theirs.presence) < 0.02
        assert np.abs(ours.keypoints_2d - theirs.keypoints_2d).max() < 0.02


def test_torch_names_missing_and_cut_weights(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="absent"):
        load_predictor(tmp_path / "absent.safetensors", "torch-cpu")
    (tmp_path / "cut.safetensors").write_bytes(weights.read_bytes()[:1000])
    (tmp_path / "cut.json").write_bytes(weights.with_suffix(".json").read_bytes())
    with pytest.raises(ModelFileError, match="cut"):
        load_predictor(tmp_path / "cut", "torch-cpu")
