"""Losses, learning, interruption, checkpoints and export."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from rejshand_ros.errors import InputError, ModelFileError  # noqa: E402
from rejshand_ros.hand.hand_mesh import HandMesh  # noqa: E402
from rejshand_ros.hand.template import load_template  # noqa: E402
from rejshand_ros.inference.network_input import network_input  # noqa: E402
from rejshand_ros.inference.runtime import OUTPUT_NAMES  # noqa: E402
from rejshand_ros.network.build import build_network  # noqa: E402
from rejshand_ros.network.checkpoint import load_network, save_network  # noqa: E402
from rejshand_ros.network.config import NetworkConfig  # noqa: E402
from rejshand_ros.network.rejshand import NetworkOutput  # noqa: E402
from rejshand_ros.synthetic.generator import SyntheticGenerator  # noqa: E402
from rejshand_ros.synthetic.sample import SyntheticConfig  # noqa: E402
from rejshand_ros.training.augment import NO_AUGMENTATION  # noqa: E402
from rejshand_ros.training.batches import BatchMaker, Source  # noqa: E402
from rejshand_ros.training.config import ScheduleConfig, TrainConfig  # noqa: E402
from rejshand_ros.training.loop import make_state, train, train_step  # noqa: E402
from rejshand_ros.training.losses import LossConfig, Targets, losses, place_loss  # noqa: E402
from rejshand_ros.training.schedule import learning_rate  # noqa: E402
from rejshand_ros.training.state import network_of_run  # noqa: E402
from rejshand_ros.training.synthetic import crops_of_samples  # noqa: E402

_NETWORK = NetworkConfig(
    backbone="mobilenetv4_conv_small", input_size=64, width=64, fine_level=True,
    keypoint_maps=2, expected_coordinates=True, joint_coordinates=True,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def source() -> Source:
    config = SyntheticConfig(
        seed=2, size=96, box_scale=(1.5, 1.6), negative_share=0.0, left_share=0.0, backgrounds=4
    )
    generator = SyntheticGenerator(config)
    return Source("rendered", crops_of_samples([generator.sample(i) for i in range(8)], "x"), 1.0)


def _config(out: Path, **schedule) -> TrainConfig:
    return TrainConfig(
        network=_NETWORK, augment=NO_AUGMENTATION, out=str(out), device="cpu", log_every=10,
        schedule=ScheduleConfig(**{"steps": 6, "batch": 4, **schedule}),
    )  # fmt: skip


def _output(n: int = 3) -> NetworkOutput:
    shapes = [(n, 21, 2), (n, 21, 3), (n, 778, 3), (n,), (n,)]
    return NetworkOutput(*(torch.randn(s, requires_grad=True) for s in shapes))


def _targets(n: int = 3) -> Targets:
    return Targets(
        torch.zeros(n, 21, 2), torch.zeros(n, 21, 3), torch.zeros(n, 778, 3),
        torch.ones(n), torch.ones(n), torch.ones(n),
    )  # fmt: skip


def test_loss_is_the_papers() -> None:
    output, targets = _output(), _targets()
    parts = losses(output, targets, LossConfig(presence=0.0))
    expected = (
        output.keypoints_2d.abs().sum(2).mean()
        + 10 * output.keypoints_3d.abs().sum(2).mean()
        + 10 * output.vertices.abs().sum(2).mean()
    )
    assert parts["total"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_unknown_labels_teach_nothing() -> None:
    output, targets = _output(), _targets()
    targets.keypoints_3d[0] = torch.nan
    targets.vertices[:] = torch.nan
    targets.right[1] = torch.nan
    losses(output, targets, LossConfig(in_plane=1.0))["total"].backward()
    assert all(torch.isfinite(value.grad).all() for value in output)
    assert output.vertices.grad.abs().max() == 0
    assert output.right_logit.grad[1] == 0
    assert output.keypoints_2d.grad[0].abs().max() > 0


def test_in_plane_is_blind_to_scale_and_depth() -> None:
    points = torch.randn(2, 21, 3) * 0.05
    labels = 3.0 * points[..., :2] + 0.4
    targets = replace(
        _targets(2), keypoints_2d=labels, keypoints_3d=torch.full((2, 21, 3), torch.nan)
    )
    output = _output(2)._replace(keypoints_3d=points)
    assert float(losses(output, targets, LossConfig(in_plane=1.0))["in_plane"]) < 1e-5


def test_place_loss_is_least_at_the_label() -> None:
    labels = torch.full((1, 21, 2), 0.5)
    labels[..., 0] = 2.5 / 8
    maps = torch.zeros(1, 21, 8, 8)
    flat = place_loss(maps.flatten(2), labels, torch.ones(1))
    maps[:, :, 3:5, 2] = 3.0
    right = place_loss(maps.flatten(2), labels, torch.ones(1))
    wrong = place_loss(maps.transpose(2, 3).flatten(2), labels, torch.ones(1))
    assert 0 <= float(right) < float(flat) < float(wrong)


@pytest.mark.slow
def test_overfits_eight_hands_to_a_millimetre(source: Source, tmp_path: Path) -> None:
    """Every block carries what it must: eight hands are learned by heart, vertex by vertex."""
    torch.set_num_threads(2)
    config = _config(tmp_path, steps=800, batch=8, rate=3e-3, weight_decay=0.0, ema=0.0, clip=1.0)
    config = replace(config, losses=LossConfig(keypoints_2d=4.0, place=0.2), save_every=10_000)
    network = train(config, [source]).network.eval()
    batch = BatchMaker([source], _NETWORK.input_size, 8, NO_AUGMENTATION).make(0)
    with torch.no_grad():
        output = network(torch.as_tensor(batch.images))
    for name in ("vertices", "keypoints_3d"):
        off = getattr(output, name) - torch.as_tensor(getattr(batch, name))
        assert off.norm(dim=2).mean() < 1e-3, name


@pytest.mark.parametrize("extra", [{}, {"flat_until": 0.4, "lift_most": 2}])
def test_resumed_run_equals_an_uninterrupted_one(
    source: Source, tmp_path: Path, extra: dict
) -> None:
    whole = train(_config(tmp_path / "whole", **extra), [source])
    parts = _config(tmp_path / "parts", **extra)
    assert train(parts, [source], stop_after=3).step == 3
    resumed = train(parts, [source])
    assert resumed.step == whole.step == 6
    for kind in ("network", "average"):
        theirs = getattr(resumed, kind).state_dict()
        for name, value in getattr(whole, kind).state_dict().items():
            assert torch.equal(value, theirs[name]), name


def test_schedules() -> None:
    cosine = ScheduleConfig(rate=1e-3, warm_up=0.1)
    assert learning_rate(cosine, 0.05) == pytest.approx(5e-4)
    assert learning_rate(cosine, 0.1) == pytest.approx(1e-3)
    assert learning_rate(cosine, 1.0) == pytest.approx(0.0, abs=1e-9)
    paper = ScheduleConfig(name="paper", rate=5e-4, warm_up=0.0)
    assert [learning_rate(paper, p) for p in (0.4, 0.6)] == pytest.approx([5e-4, 5e-5])


def test_nan_stops_with_an_error(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path)
    batch = BatchMaker([source], 64, 4, NO_AUGMENTATION).make(0)
    batch.weight[2] = np.nan
    with pytest.raises(InputError, match=r"loss of step 1 is nan: weights \[.*nan"):
        train_step(make_state(config), batch, config)
    batch.images[1] = np.nan
    with pytest.raises(InputError, match=r"loss of step 1 is nan: images \[1\] of the batch"):
        train_step(make_state(config), batch, config)


def test_weights_survive_the_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(_NETWORK).eval()
    path = tmp_path / "net.safetensors"
    save_network(network, path, {"note": "x"})
    loaded, config = load_network(path)
    assert config == _NETWORK
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(network(images), loaded(images), strict=True):
            assert torch.allclose(ours, theirs, atol=5e-3)
    assert json.loads(path.with_suffix(".json").read_text())["note"] == "x"
    # Whoever may read what it says may read the weights.
    assert path.stat().st_mode == path.with_suffix(".json").stat().st_mode


def test_bad_weights_are_named(tmp_path: Path) -> None:
    network = build_network(_NETWORK)
    path = tmp_path / "net.safetensors"
    save_network(network, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    with pytest.raises(ModelFileError, match=r"net\.safetensors cannot be read"):
        load_network(path)
    path.write_bytes(whole)
    card = path.with_suffix(".json")
    values = json.loads(card.read_text())
    values["network"]["width"] = 96
    card.write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="another architecture"):
        load_network(path)
    card.unlink()
    with pytest.raises(ModelFileError, match=r"net\.json is missing"):
        load_network(path)


def test_checkpoint_of_another_mesh(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path, steps=1)
    train(config, [source])
    ours = HandMesh.of_template(load_template())
    other = replace(ours, name="mano", joint_regressor=ours.joint_regressor[::-1].copy())
    with pytest.raises(ModelFileError, match="another hand mesh"):
        train(config, [source], mesh=other)


def test_checkpoint_of_another_architecture(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path, steps=1)
    train(config, [source])
    other = replace(config, network=replace(_NETWORK, width=96))
    with pytest.raises(ModelFileError, match="differs in width"):
        train(other, [source])
    network, facts = network_of_run(tmp_path / "last.pt")
    assert (network.config, facts["steps"]) == (_NETWORK, 1)
    (tmp_path / "last.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelFileError, match="cannot be read"):
        train(config, [source])


@pytest.mark.parametrize("backbone", ["mobilenetv4_conv_small", "fastvit_t8"])
def test_export_agrees_with_torch(backbone: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    from rejshand_ros.inference.openvino_runtime import OpenVinoRuntime
    from rejshand_ros.network.export import export_openvino

    torch.manual_seed(0)
    network = build_network(replace(_NETWORK, backbone=backbone)).eval()
    path = tmp_path / "net.xml"
    export_openvino(network, path)
    runtime = OpenVinoRuntime(path, precision="f32", cache=tmp_path / "cache")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    images = torch.from_numpy(network_input(crops))
    answer = runtime.run(crops)
    with torch.no_grad():
        for name, value in zip(OUTPUT_NAMES, network(images), strict=True):
            theirs = getattr(answer, name)
            assert np.abs(theirs - value.numpy()).max() < 5e-3 * max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("backbone", ["fastvit_ma36", "tf_efficientnet_lite0"])
def test_an_export_marks_the_fine_layers_but_for_wide_ones(backbone: str, tmp_path: Path) -> None:
    """A file without a mark runs in single precision, three fifths slower."""
    pytest.importorskip("openvino")
    from rejshand_ros.network.export import export_openvino
    from rejshand_ros.network.lean_head import PRECISE

    path = tmp_path / "net.xml"
    export_openvino(build_network(replace(_NETWORK, backbone=backbone)).eval(), path)
    marked = {
        str(layer.get("name")): layer
        for layer in ElementTree.parse(path).iterfind("layers/layer")
        if layer.find("rt_info/attribute[@name='precise']") is not None
    }
    # The head names its own; all others are fine layers of the backbone.
    assert all(any(part in name for name in marked) for part in PRECISE)
    shapes = {
        tuple(int(dim.text or 0) for dim in layer.iterfind("output/port/dim"))[1:]
        for name, layer in marked.items()
        if not any(part in name for part in PRECISE)
    }
    assert shapes
    assert min(shape[-1] for shape in shapes) >= 32
    widths = {shape[0] for shape in shapes}
    assert max(widths) <= 2 * min(widths)


def test_begins_with_trained_weights_of_another_input_size(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path, steps=2, batch=4)
    trained = train(config, [source]).average
    save_network(trained, tmp_path / "trained.safetensors")
    larger = replace(config, network=replace(_NETWORK, input_size=96), seed=9)
    begun = make_state(replace(larger, start=str(tmp_path / "trained.safetensors"))).network
    fresh = make_state(larger).network
    for name, value in trained.state_dict().items():
        ours = begun.state_dict()[name]
        if ours.shape == value.shape:
            assert torch.allclose(ours, value, atol=2e-3, rtol=2e-3), name
        else:
            assert "cells" in name
    assert not torch.equal(begun.adapter.coarse.weight, fresh.adapter.coarse.weight)


def test_weights_of_another_architecture_are_no_start(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path, steps=1, batch=4)
    save_network(make_state(config).average, tmp_path / "small.safetensors")
    wider = replace(config, network=replace(_NETWORK, width=96))
    with pytest.raises(ModelFileError, match=r"small\.safetensors.* width 64; 96"):
        make_state(replace(wider, start=str(tmp_path / "small.safetensors")))


def test_trains_on_batches_made_on_the_device(source: Source, tmp_path: Path) -> None:
    config = _config(tmp_path, steps=3, batch=4)
    config = replace(config, data=replace(config.data, on_device=True))
    state = train(config, [source])
    assert state.step == 3
    assert all(torch.isfinite(p).all() for p in state.average.parameters())
