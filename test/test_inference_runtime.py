"""Runtimes and the predictor: shapes, units, errors that name the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rejshand_ros.errors import ConfigError, InputError, ModelFileError
from rejshand_ros.inference.load import WEIGHTS_FOLDER, load_predictor
from rejshand_ros.inference.network_input import network_input
from rejshand_ros.inference.openvino_runtime import OpenVinoRuntime
from rejshand_ros.inference.predictor import Predictor
from rejshand_ros.inference.runtime import OUTPUT_NAMES, RawOutput, Runtime

SIZE = 32
LENGTHS = {"keypoints_2d": (21, 2), "keypoints_3d": (21, 3), "vertices": (778, 3),
           "presence_logit": (), "right_logit": ()}  # fmt: skip


def random_crops(count: int, size: int = SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


def save_tiny_model(
    path: Path, *, outputs: tuple[str, ...] = OUTPUT_NAMES, batch: int = -1
) -> None:
    """Every output is a fixed linear map of the three channels' means."""
    import openvino
    from openvino import opset13 as ops

    image = ops.parameter([batch, 3, SIZE, SIZE], np.float32, name="image")
    means = ops.reduce_mean(image, np.array([2, 3]), keep_dims=False)
    results = []
    for index, name in enumerate(outputs):
        shape = LENGTHS[name]
        count = int(np.prod(shape)) if shape else 1
        weights = np.random.default_rng(index).normal(size=(3, count)).astype(np.float32)
        product = ops.matmul(means, weights, False, False)
        result = ops.reshape(product, np.array([-1, *shape]), special_zero=False)
        result.output(0).set_names({name})
        results.append(result)
    openvino.save_model(openvino.Model(results, [image], "tiny"), path, compress_to_fp16=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.xml"
    save_tiny_model(path)
    return path


def test_openvino_computes_what_the_file_says(tiny: Path, tmp_path: Path) -> None:
    runtime = OpenVinoRuntime(tiny, precision="f32", cache=tmp_path)
    assert runtime.input_size == SIZE
    assert "f32" in runtime.name
    crops = random_crops(3)
    answer = runtime.run(crops)
    for index, name in enumerate(OUTPUT_NAMES):
        value = getattr(answer, name)
        assert value.shape == (3, *LENGTHS[name])
        count = int(np.prod(LENGTHS[name])) if LENGTHS[name] else 1
        weights = np.random.default_rng(index).normal(size=(3, count))
        expected = (network_input(crops).mean((2, 3)) @ weights).reshape(value.shape)
        np.testing.assert_allclose(value, expected, atol=1e-4)
    assert list(tmp_path.glob("*/*.blob")), "the compiled model should have been kept"


def test_a_model_of_one_crop_takes_several(tiny: Path, tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "single.xml", batch=1)
    crops = random_crops(2)
    single = OpenVinoRuntime(tmp_path / "single.xml", precision="f32", cache=tmp_path / "cache")
    whole = OpenVinoRuntime(tiny, precision="f32", cache=tmp_path / "cache")
    for name in OUTPUT_NAMES:
        np.testing.assert_allclose(
            getattr(single.run(crops), name), getattr(whole.run(crops), name), atol=1e-5
        )


def test_one_answer_is_not_overwritten_by_the_next(tiny: Path, tmp_path: Path) -> None:
    runtime = OpenVinoRuntime(tiny, cache=tmp_path)
    first = runtime.run(np.full((1, SIZE, SIZE, 3), 255, np.uint8))
    before = first.vertices.copy()
    runtime.run(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    np.testing.assert_array_equal(first.vertices, before)


def test_crops_of_another_shape_or_type_are_refused(tiny: Path, tmp_path: Path) -> None:
    runtime = OpenVinoRuntime(tiny, cache=tmp_path)
    for crops in (random_crops(1, 64), random_crops(1).astype(np.float32), random_crops(1)[0]):
        with pytest.raises(InputError, match="32, 32"):
            runtime.run(crops)


def test_a_model_of_no_square_images_is_refused(tmp_path: Path) -> None:
    import openvino
    from openvino import opset13 as ops

    for shape, words in (((1, 3, 32, 48), "square"), ((1, 1, 32, 32), "3, H"), ((9, 3), "3, H")):
        given = ops.parameter(list(shape), np.float32)
        model = openvino.Model([ops.relu(given)], [given])
        openvino.save_model(model, tmp_path / "other.xml")
        with pytest.raises(ModelFileError, match=words):
            OpenVinoRuntime(tmp_path / "other.xml", cache=tmp_path / "cache")


def test_a_cut_file_is_named(tiny: Path, tmp_path: Path) -> None:
    for suffix, length in ((".xml", 100), (".bin", 10)):
        for part in (".xml", ".bin"):
            data = tiny.with_suffix(part).read_bytes()
            (tmp_path / f"cut{part}").write_bytes(data[:length] if part == suffix else data)
        with pytest.raises(ModelFileError, match=r"cut\.xml") as caught:
            OpenVinoRuntime(tmp_path / "cut.xml", cache=tmp_path / "cache")
        assert "\n" not in str(caught.value)


def test_missing_files_are_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.xml"):
        load_predictor(tmp_path / "nowhere.xml", "cpu")
    with pytest.raises(ModelFileError, match="shipped"):
        load_predictor("no_such_weights", "cpu")
    (tmp_path / "alone.xml").write_bytes(tiny.read_bytes())
    with pytest.raises(ModelFileError, match=r"alone\.bin"):
        load_predictor(tmp_path / "alone", "cpu")


def test_a_model_with_other_outputs_is_refused(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "other.xml", outputs=("keypoints_2d", "vertices"))
    with pytest.raises(ModelFileError, match="presence_logit"):
        OpenVinoRuntime(tmp_path / "other.xml", cache=tmp_path / "cache")


def test_unknown_choices_list_the_valid_ones(tiny: Path) -> None:
    with pytest.raises(ConfigError, match="cuda"):
        load_predictor(tiny, "tpu")
    with pytest.raises(ConfigError, match="bf16"):
        load_predictor(tiny, "cpu", precision="f64")


def test_loading_on_the_cpu_leaves_torch_alone(tiny: Path) -> None:
    code = (
        "import sys; from rejshand_ros.inference.load import load_predictor;"
        f"load_predictor({str(tiny)!r}, 'cpu'); assert 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=120)


class _Echo(Runtime):
    """Says of every crop its mean colour as logits, and fixed points."""

    name = "echo"
    input_size = 8

    def _run(self, crops: NDArray[np.uint8]) -> RawOutput:
        count = len(crops)
        points = np.tile(np.arange(21, dtype=np.float32)[:, None], (1, 3))
        colour = network_input(crops).mean((2, 3))
        return RawOutput(
            np.zeros((count, 21, 2), np.float32),
            np.tile(points, (count, 1, 1)),
            np.ones((count, 778, 3), np.float32),
            1000 * colour[:, 0],
            colour[:, 2],
        )


def test_estimates_are_relative_to_the_wrist_and_channels_are_rgb() -> None:
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    crops[1, ..., 2] = 255
    dark, red = Predictor(_Echo()).predict(crops)
    np.testing.assert_allclose(red.keypoints_3d[0], 0)
    np.testing.assert_allclose(red.keypoints_3d[9], 9)
    np.testing.assert_allclose(red.vertices, 1)
    assert dark.presence == 0.0
    assert red.presence == 1.0
    assert red.right_probability == pytest.approx(1 / (1 + np.exp(0.5)))


def test_network_input_is_centred_and_contiguous() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    planes = network_input(crops)
    assert planes.flags.c_contiguous
    np.testing.assert_allclose(planes[1, 0], crops[1, ..., 2] / 255.0 - 0.5, atol=1e-6)


def test_crops_of_another_kind_are_refused() -> None:
    predictor = Predictor(_Echo())
    for crops in (np.zeros((1, 9, 9, 3), np.uint8), np.zeros((1, 8, 8, 3), np.float32)):
        with pytest.raises(InputError, match="uint8"):
            predictor.predict(crops)
    assert predictor.predict(np.zeros((0, 8, 8, 3), np.uint8)) == []


@pytest.mark.skipif(not (WEIGHTS_FOLDER / "default.xml").is_file(), reason="no weights shipped yet")
def test_the_shipped_weights_load_and_answer() -> None:
    predictor = load_predictor(None, "cpu")
    size = predictor.input_size
    (estimate,) = predictor.predict(np.full((1, size, size, 3), 90, np.uint8))
    assert estimate.vertices.shape == (778, 3)
    assert np.isfinite(estimate.vertices).all()


def test_a_signal_after_runtimes_came_and_went_ends_nothing(tiny: Path, tmp_path: Path) -> None:
    """OpenVINO gives signals a stack of its own, and forgets whose it was if it is loaded twice."""
    program = """
import signal, sys
from pathlib import Path
from rejshand_ros.inference.openvino_runtime import compile_model

path, cache = map(Path, sys.argv[1:])
first, second = (compile_model(path, cache=cache) for _ in range(2))
del first  # before the second, as a node that is configured anew may
del second
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
signal.raise_signal(signal.SIGTERM)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny), str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout == "heard\n", (done.returncode, done.stderr)
