"""The folder of a run's results: held by one run, cleared of the last one's, of nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from rejshand_ros.demo.results_folder import results_folder
from rejshand_ros.demo.run import DemoConfig, run_demo
from rejshand_ros.errors import ConfigError

ROOT = Path(__file__).parents[1]


def test_a_second_demo_into_the_same_folder_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    cv2.imwrite(str(images / "0.png"), np.zeros((48, 64, 3), np.uint8))
    with results_folder(out):
        (out / "bag").mkdir()
        (out / "bag/bag_0.mcap").write_bytes(b"being written")
        (out / "logs/camera.log").write_text("of the first run")
        with pytest.raises(ConfigError, match=f"process {os.getpid()}, running since .*--out"):
            run_demo(DemoConfig(input=str(images), headless=True, out=out))
        assert (out / "bag/bag_0.mcap").read_bytes() == b"being written"
        assert (out / "logs/camera.log").read_text() == "of the first run"
    with results_folder(out):
        assert not (out / "bag").exists()


def test_a_killed_run_leaves_the_folder_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from rejshand_ros.demo.results_folder import results_folder\n"
        "with results_folder(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match=f"process {process.pid}, "), results_folder(tmp_path):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    with results_folder(tmp_path):
        pass


def test_foreign_files_in_place_of_the_bag_are_left(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag/thesis.tex").touch()
    with pytest.raises(ConfigError, match=r"thesis\.tex"), results_folder(tmp_path):
        pass
    assert (tmp_path / "bag/thesis.tex").exists()
