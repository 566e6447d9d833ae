"""Every runtime says of 200 crops what the reference says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, MissingDependencyError, ModelFileError
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.inference.load import WEIGHTS_FOLDER, load_predictor
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.synthetic.generator import SyntheticGenerator
from rejshand_ros.synthetic.sample import SyntheticConfig

torch = pytest.importorskip("torch", reason="the training extra is not installed")
pytest.importorskip("timm", reason="the training extra is not installed")

CROPS = 200


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights, exported to every format by the command line's verb."""
    from rejshand_ros.training.commands import export_main

    stem = tmp_path_factory.mktemp("weights") / "shipped"
    for kind in ("openvino", "onnx"):
        source = WEIGHTS_FOLDER / "default.safetensors"
        export_main([str(source), "--out", str(stem), "--format", kind])
    return stem


@pytest.fixture(scope="module")
def reference(exported: Path) -> Predictor:
    return load_predictor(exported, "torch-cpu")


@pytest.fixture(scope="module")
def crops(reference: Predictor) -> np.ndarray:
    """Rendered hands in contorted poses, some behind others."""
    size = reference.input_size
    generator = SyntheticGenerator(SyntheticConfig(size=size, backgrounds=8))
    return np.stack([generator.sample(index).image for index in range(CROPS)])


@pytest.fixture(scope="module")
def expected(reference: Predictor, crops: np.ndarray) -> list[CropEstimate]:
    return reference.predict(crops)


def assert_agree(
    ours: list[CropEstimate], theirs: list[CropEstimate], millimetres: float, share: float = 1.0
) -> None:
    """In this share of the crops the mesh lies no further off than this, its vertices' mean."""
    vertices = np.stack([e.vertices for e in ours]) - np.stack([e.vertices for e in theirs])
    of_crops = 1e3 * np.linalg.norm(vertices, axis=2).mean(1)
    assert np.quantile(of_crops, share) < millimetres
    assert of_crops.mean() < 0.6 * millimetres
    for name in ("presence", "right_probability"):
        values = np.array([getattr(e, name) for e in (*ours, *theirs)]).reshape(2, -1)
        assert np.abs(values[0] - values[1]).max() < 0.1 * max(millimetres, 0.05)
    points = np.stack([e.keypoints_2d for e in ours]) - np.stack([e.keypoints_2d for e in theirs])
    assert np.abs(points).mean() < 0.01 * millimetres


@pytest.mark.parametrize(
    ("ending", "precision", "millimetres", "share"),
    [
        (".xml", "f32", 0.05, 1.0),
        (".onnx", "f32", 0.05, 1.0),
        # Eight bits of mantissa: a contorted hand behind another may lie 1.5 mm off.
        (".xml", "bf16", 1.0, 0.95),
        (".onnx", "bf16", 1.0, 0.95),
    ],
)
def test_openvino_agrees_with_the_reference(
    exported: Path,
    crops: np.ndarray,
    expected: list[CropEstimate],
    ending: str,
    precision: str,
    millimetres: float,
    share: float,
) -> None:
    runtime = load_predictor(exported.with_suffix(ending), "cpu", precision=precision)
    assert_agree(runtime.predict(crops), expected, millimetres, share)


def test_half_precision_agrees_with_the_reference(
    exported: Path, crops: np.ndarray, expected: list[CropEstimate]
) -> None:
    """What a GPU computes, folded and in half precision; a CPU takes long for every crop."""
    from rejshand_ros.inference.torch_runtime import TorchRuntime

    runtime = TorchRuntime(exported.with_suffix(".safetensors"), half=True)
    assert "f16" in runtime.name
    assert_agree(Predictor(runtime).predict(crops[::8]), expected[::8], 0.5)


def test_the_network_compiles_as_one_graph(exported: Path) -> None:
    """Neither torch.compile nor a CUDA graph may fall back to Python half-way."""
    from rejshand_ros.network.checkpoint import load_network
    from rejshand_ros.network.folding import folded

    network, config = load_network(exported.with_suffix(".safetensors"))
    network = folded(network)
    compiled = torch.compile(network, fullgraph=True, dynamic=False, backend="eager")
    batch = torch.rand(1, 3, config.input_size, config.input_size) - 0.5
    with torch.inference_mode():
        for ours, theirs in zip(compiled(batch), network(batch), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_an_onnx_file_is_named_when_it_is_damaged(exported: Path, tmp_path: Path) -> None:
    data = exported.with_suffix(".onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match=r"cut\.onnx"):
        load_predictor(tmp_path / "cut.onnx", "cpu")


def test_an_unknown_format_or_mode_is_refused_by_name(exported: Path, tmp_path: Path) -> None:
    from rejshand_ros.inference.torch_runtime import TorchRuntime
    from rejshand_ros.training.commands import export_main

    weights = exported.with_suffix(".safetensors")
    with pytest.raises(ConfigError, match="openvino"):
        export_main([str(weights), "--out", str(tmp_path / "x"), "--format", "tflite"])
    with pytest.raises(ConfigError, match="graph"):
        TorchRuntime(weights, mode="fast")
    if not torch.cuda.is_available():
        with pytest.raises(MissingDependencyError, match="GPU"):
            load_predictor(weights, "cuda")


def test_torch_names_missing_and_cut_weights(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="absent"):
        load_predictor(tmp_path / "absent.safetensors", "torch-cpu")
    data = exported.with_suffix(".safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:1000])
    (tmp_path / "cut.json").write_bytes(exported.with_suffix(".json").read_bytes())
    with pytest.raises(ModelFileError, match="cut"):
        load_predictor(tmp_path / "cut", "torch-cpu")
