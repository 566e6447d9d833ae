"""Several processes train as one does: torchrun, gloo, shared batch norm, half precision."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from rejshand_ros.errors import ConfigError  # noqa: E402
from rejshand_ros.network.config import NetworkConfig  # noqa: E402
from rejshand_ros.synthetic.sample import SyntheticConfig  # noqa: E402
from rejshand_ros.synthetic.shards import generate_shard  # noqa: E402
from rejshand_ros.training.augment import NO_AUGMENTATION  # noqa: E402
from rejshand_ros.training.batches import Source  # noqa: E402
from rejshand_ros.training.config import ScheduleConfig, TrainConfig, load_train_config  # noqa: E402
from rejshand_ros.training.loop import make_state, train, train_step  # noqa: E402
from rejshand_ros.training.processes import Processes  # noqa: E402
from rejshand_ros.training.synthetic import load_synthetic  # noqa: E402

_ROOT = Path(__file__).parents[1]
_RUN = """
network: {preset: light, backbone: mobilenetv4_conv_small, input_size: 64, width: 64}
data: {synthetic: shards}
losses: {place: 0.2}
schedule: {steps: 3, batch: 6, rate: 1e-3, warm_up: 0.0}
threads: 1
device: cpu
log_every: 1
validate_every: 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    config = SyntheticConfig(seed=2, size=96, box_scale=(1.5, 1.6), backgrounds=4)
    generate_shard(config, 0, 10, folder / "shards/shard.npz")
    (folder / "run.yaml").write_text(_RUN)
    return folder


def _train(folder: Path, out: str, *before: str) -> list[dict[str, float]]:
    """Run `rejshand train` as a program; what it logged."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    command = [*before, "-m", "rejshand_ros.cli", "train", "run.yaml", "--set", f"out={out}"]
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, check=False,
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in (folder / out / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_lose_what_one_does(folder: Path) -> None:
    alone = _train(folder, "alone")
    together = _train(
        folder, "together", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"
    )
    assert len(alone) == len(together) == 3
    for one, two in zip(alone, together, strict=True):
        for name in ("total", "keypoints_2d", "keypoints_3d", "vertices", "presence", "place"):
            assert two[name] == pytest.approx(one[name], rel=2e-4), name
    assert together[0]["gradient"] == pytest.approx(alone[0]["gradient"], rel=1e-4)
    weights = [
        torch.load(folder / name / "last.pt", weights_only=True)["network"]
        for name in ("alone", "together")
    ]
    assert list(weights[0]) == list(weights[1])
    # Adam's first steps are as long as the rate whatever the gradient, so the sign of gradients
    # near zero counts; statistics of the batch norms show that both saw the whole batch.
    for name, value in weights[0].items():
        if name.endswith("running_var"):
            assert torch.allclose(weights[1][name], value, rtol=1e-2, atol=1e-4), name


def test_a_batch_must_be_shared_evenly() -> None:
    with pytest.raises(ConfigError, match=r"batch 9 for 2 processes; valid: a multiple"):
        Processes(0, 2).part(9)


def _config(folder: Path, out: Path, **schedule) -> TrainConfig:
    network = NetworkConfig(backbone="mobilenetv4_conv_small", input_size=64, width=64)
    return TrainConfig(
        network=network, augment=NO_AUGMENTATION, out=str(out), device="cpu", threads=1,
        schedule=ScheduleConfig(**{"steps": 4, "batch": 4, "amp": True, **schedule}),
    )  # fmt: skip


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_half_precision_learns_and_resumes(folder: Path, tmp_path: Path, half: str) -> None:
    source = Source("rendered", load_synthetic(folder / "shards"), 1.0)
    whole = train(_config(folder, tmp_path / "whole", amp_type=half), [source])
    config = _config(folder, tmp_path / "parts", amp_type=half)
    assert train(config, [source], stop_after=2).step == 2
    resumed = train(config, [source])
    assert resumed.scaler.is_enabled() == (half == "float16")
    assert resumed.scaler.state_dict() == whole.scaler.state_dict()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_an_overflowing_step_is_left_out(folder: Path, tmp_path: Path) -> None:
    from rejshand_ros.training.batches import BatchMaker

    source = Source("rendered", load_synthetic(folder / "shards"), 1.0)
    config = _config(folder, tmp_path, amp_type="float16")
    state = make_state(config)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    before = {k: v.clone() for k, v in state.network.named_parameters()}
    train_step(state, BatchMaker([source], 64, 4, NO_AUGMENTATION).make(0), config)
    assert all(torch.equal(v, before[k]) for k, v in state.network.named_parameters())
    assert state.scaler.get_scale() < 2.0**40


def test_auto_takes_bfloat16_on_a_cpu(folder: Path, tmp_path: Path) -> None:
    assert not make_state(_config(folder, tmp_path)).scaler.is_enabled()
    with pytest.raises(ConfigError, match="float16"):
        ScheduleConfig(amp_type="float8")


def test_papers_schedule() -> None:
    config = load_train_config(_ROOT / "config/training/paper.yaml")
    schedule = config.schedule
    assert schedule.steps * schedule.batch == 200 * 16_384
    assert (schedule.name, schedule.optimiser, schedule.rate) == ("paper", "adam", 5e-4)
    losses = config.losses
    assert (losses.keypoints_2d, losses.keypoints_3d, losses.vertices) == (1, 10, 10)
    assert (config.network.backbone, config.network.pretrained) == ("fastvit_ma36", True)
    published = load_train_config(_ROOT / "config/training/published.yaml")
    assert published.network.head == "published"
    assert replace(published.augment) == config.augment
    assert np.isclose(published.schedule.warm_up * 200, 5)
