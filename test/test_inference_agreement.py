"""Every runtime says of 200 crops what the reference says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rejshand_ros.errors import ConfigError, MissingDependencyError, ModelFileError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.inference.estimate import CropEstimate
from rejshand_ros.inference.load import WEIGHTS_FOLDER, load_predictor, weights_facts
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


@dataclass(frozen=True)
class Crops:
    """Rendered hands in contorted poses, some behind others, a few crops without any."""

    images: np.ndarray
    # Whether a crop shows what a tracker meets: a right hand, left ones come mirrored.
    of_hands: np.ndarray


@pytest.fixture(scope="module")
def crops(reference: Predictor) -> Crops:
    size = reference.input_size
    generator = SyntheticGenerator(SyntheticConfig(size=size, backgrounds=8))
    samples = [generator.sample(index) for index in range(CROPS)]
    of_hands = np.array([sample.side is Side.RIGHT for sample in samples])
    return Crops(np.stack([sample.image for sample in samples]), of_hands)


@pytest.fixture(scope="module")
def expected(reference: Predictor, crops: Crops) -> list[CropEstimate]:
    return reference.predict(crops.images)


def mesh_errors_mm(ours: list[CropEstimate], theirs: list[CropEstimate]) -> np.ndarray:
    """The mean over the vertices, of every crop; checks the other answers too."""
    vertices = np.stack([e.vertices for e in ours]) - np.stack([e.vertices for e in theirs])
    for name in ("presence", "right_probability"):
        values = np.array([getattr(e, name) for e in (*ours, *theirs)]).reshape(2, -1)
        assert np.abs(values[0] - values[1]).max() < 0.1
    points = np.stack([e.keypoints_2d for e in ours]) - np.stack([e.keypoints_2d for e in theirs])
    assert np.abs(points).mean() < 0.005
    return 1e3 * np.linalg.norm(vertices, axis=2).mean(1)


@pytest.mark.parametrize("ending", [".xml", ".onnx"])
def test_openvino_in_single_precision_is_the_reference(
    exported: Path, crops: Crops, expected: list[CropEstimate], ending: str
) -> None:
    runtime = load_predictor(exported.with_suffix(ending), "cpu", precision="f32")
    assert mesh_errors_mm(runtime.predict(crops.images), expected).max() < 0.05


@pytest.mark.parametrize("precision", ["bf16", "auto"])
def test_openvino_in_bfloat16_agrees_with_the_reference(
    exported: Path, crops: Crops, expected: list[CropEstimate], precision: str
) -> None:
    """Eight bits of mantissa: on average, and of hands in nine crops of ten."""
    runtime = load_predictor(exported.with_suffix(".xml"), "cpu", precision=precision)
    errors = mesh_errors_mm(runtime.predict(crops.images), expected)
    assert errors.mean() < 1.0
    assert np.quantile(errors[crops.of_hands], 0.9) < 1.0


def test_the_shipped_files_are_what_export_writes(crops: Crops, exported: Path) -> None:
    """A mark or a weight that got lost on the way costs millimetres."""
    ours = load_predictor(None, "cpu", precision="bf16").predict(crops.images[:20])
    theirs = load_predictor(exported, "cpu", precision="bf16").predict(crops.images[:20])
    assert mesh_errors_mm(ours, theirs).max() < 0.05


def test_a_file_without_marks_is_not_run_in_less_than_it_bears(exported: Path) -> None:
    onnx = exported.with_suffix(".onnx")
    assert "f32" in load_predictor(onnx, "cpu", precision="auto").runtime.name
    with pytest.raises(ConfigError, match="export-model"):
        load_predictor(onnx, "cpu", precision="bf16")


def test_half_precision_agrees_with_the_reference(
    exported: Path, crops: Crops, expected: list[CropEstimate]
) -> None:
    """What a GPU computes, folded and in half precision; a CPU takes long for every crop."""
    from rejshand_ros.inference.torch_runtime import TorchRuntime

    runtime = TorchRuntime(exported.with_suffix(".safetensors"), half=True)
    assert "f16" in runtime.name
    errors = mesh_errors_mm(Predictor(runtime).predict(crops.images[::8]), expected[::8])
    assert errors.mean() < 0.5
    assert errors[crops.of_hands[::8]].max() < 0.5


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


def test_an_export_keeps_what_is_known_of_the_training(exported: Path) -> None:
    assert weights_facts(exported)["training"] == weights_facts()["training"]
