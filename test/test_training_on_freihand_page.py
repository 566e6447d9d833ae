"""Every command of docs/training_on_freihand.md, run on a tiny data set of FreiHAND's format."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("timm")

from freihand_folder import write_freihand, write_mano
from rejshand_ros import cli
from rejshand_ros.training.metrics import hand_metrics

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs/training_on_freihand.md"
# The same commands, but for a network that a processor trains in seconds.
_SMALL = (
    "network.backbone=mobilenetv4_conv_small", "network.pretrained=false", "network.input_size=64",
    "network.width=64", "schedule.steps=2", "schedule.batch=2", "threads=1", "device=cpu",
    "log_every=1", "validate_every=2",
)  # fmt: skip


def _commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the page's reader's: the repository's files, and the data beside it."""
    beside = tmp_path_factory.mktemp("page")
    write_freihand(beside / "FreiHAND_pub_v2", annotations=3, versions=2)
    (beside / "FreiHAND_pub_v2_eval").symlink_to(beside / "FreiHAND_pub_v2")
    write_mano(beside / "MANO_RIGHT.pkl")
    here = beside / "repository"
    here.mkdir()
    (here / "config").symlink_to(_ROOT / "config")
    return here


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_page(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = _commands()
    assert [command[0] for command in commands] == ["rejshand", "torchrun", "rejshand", "rejshand"]
    monkeypatch.chdir(workplace)
    for program, *arguments in commands:
        small = [f"--set={value}" for value in _SMALL] if "train" in arguments else []
        if program == "rejshand":
            assert cli.main([*arguments, *small]) == 0
        else:
            _torchrun([*arguments, *small])
    for run in ("paper", "two"):
        lines = (workplace / f"out/train/{run}/log.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [1, 2]
        events = list((workplace / f"out/train/{run}/tensorboard").iterdir())
        assert b"hands" in events[0].read_bytes(), "no sample pictures"
    card = json.loads((workplace / "out/paper/rejshand.json").read_text())
    assert card["mesh"] == "mano"
    _check_pred(workplace)


def _torchrun(arguments: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *arguments],
        env=environment, check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def _check_pred(workplace: Path) -> None:
    """pred.json holds camera-frame hands whose official metrics are the printed figures."""
    figures = json.loads((workplace / "out/paper/freihand.json").read_text())
    xyz, vertices = json.loads((workplace / "out/paper/pred.json").read_text())
    folder = workplace.parent / "FreiHAND_pub_v2_eval"
    true_xyz = json.loads((folder / "evaluation_xyz.json").read_text())
    true_vertices = json.loads((folder / "evaluation_verts.json").read_text())
    assert np.shape(xyz) == (3, 21, 3)
    assert np.shape(vertices) == (3, 778, 3)
    assert (np.array(xyz)[..., 2] > 0).all()
    official = hand_metrics(xyz, vertices, true_xyz, true_vertices).as_dict()
    for name in ("pa_mpjpe_mm", "pa_mpvpe_mm", "f5_aligned", "f15_aligned", "auc_xyz_aligned"):
        assert figures[name] == pytest.approx(official[name], rel=1e-3), name
    assert figures["hands"] == 3
