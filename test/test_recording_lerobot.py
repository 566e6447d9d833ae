"""lerobot's own loader opens the exported data set and gives the rows that were recorded."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from episodes import joint_positions, write_episode

from rejshand_ros.recording.dataset.export import ExportConfig, export_dataset
from rejshand_ros.recording.episode import EpisodeCard

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venvs/lerobot/bin/python"
"""lerobot's pins clash with this project's: it has an environment of its own."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    not (ROOT / ".venvs/lerobot/.complete").exists(),
    reason="needs lerobot's environment: make lerobot-environment",
)
def test_lerobots_loader_gives_what_was_recorded(tmp_path: Path) -> None:
    for name, task, images in (("a", "pinch", 12), ("b", "grasp", 15)):
        write_episode(tmp_path / "in" / name, images, card=EpisodeCard(name, task=task))
    export_dataset([tmp_path / "in"], tmp_path / "out", ExportConfig())
    # Nothing of this environment, whose libraries are others, and no network.
    environment = {"PATH": os.defpath, "HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf")}
    environment |= {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [PYTHON, ROOT / "test/lerobot_reader.py", tmp_path / "out"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["episodes"], seen["fps"]) == (2, 30)
    assert seen["episode_index"] == [0] * 12 + [1] * 15
    assert seen["task"] == ["pinch"] * 12 + ["grasp"] * 15
    assert seen["image_shape"] == [3, 240, 320]
    # The first row is the first image, 0.1 s after the episode's start.
    times = np.concatenate([np.arange(12), np.arange(15)]) / 30
    np.testing.assert_allclose(seen["timestamp"], times, atol=1e-6)
    positions = [joint_positions(0.1 + time) for time in times]
    np.testing.assert_allclose(seen["observation.state"], positions, atol=1e-4)
    np.testing.assert_allclose(seen["action"], positions, atol=1e-4)
    # The right frame of the video stands in each row.
    greys = [20 + 8 * index for index in (*range(12), *range(15))]
    np.testing.assert_allclose(255 * np.array(seen["grey"]), greys, atol=3.0)
