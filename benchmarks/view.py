"""What an open browser view adds to the time from a capture to its command.

The project's own clip is played in real time through the whole chain, alternately without a view
and with one whose page is open: a watcher takes every message that a browser would, but draws
nothing, as if the browser ran on another computer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.report import table, write_report
from rejshand_ros.demo.bag_facts import gather
from rejshand_ros.demo.chain import EPISODE, ChainConfig
from rejshand_ros.demo.clip import default_clip
from rejshand_ros.demo.run import run_chain
from rejshand_ros.errors import ProcessError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.viewing.ports import free_port

_WATCHER = "from benchmarks.view_watcher import main; main()"
_ROUNDS = 4
_SETTLED = 30
"""Images at the start of a clip that are not counted: one second."""


def play(folder: Path, port: int) -> np.ndarray:
    """Play the clip through the chain.

    Args:
        folder: For the recording.
        port: Of the view; 0 for none.

    Returns:
        (n,) milliseconds from capture to command.
    """
    clip = default_clip(Side.RIGHT)
    chain = ChainConfig(
        input=str(clip.video), out=folder, camera_info_url=str(clip.calibration), view_port=port
    )
    run_chain(chain, endless=False)
    issued = gather(folder / EPISODE, ("right",), meshes=False).sides["right"].first_issued
    return 1e-6 * np.array([at - capture for capture, at in sorted(issued.items())][_SETTLED:])


def watched(folder: Path) -> tuple[np.ndarray, float]:
    """Play the clip with the page open; also megabytes a second that the page took.

    Raises:
        ProcessError: The watcher saw nothing.
    """
    port = free_port("127.0.0.1", 18300)
    watcher = subprocess.Popen(
        [sys.executable, "-c", _WATCHER, str(port)],
        stdout=subprocess.PIPE,
        text=True,
        # It stands for another computer.
        preexec_fn=lambda: os.nice(19),
    )
    try:
        milliseconds = play(folder, port)
    finally:
        watcher.terminate()
        said = watcher.communicate(timeout=30)[0]
    if not said.strip() or float(said) < 1e5:
        raise ProcessError(f"the watcher of the page took {said.strip() or 'no'} bytes a second")
    return milliseconds, float(said) * 1e-6


def main() -> None:
    """Measure, print and write the figures."""
    without, with_view, rates = [], [], []
    with tempfile.TemporaryDirectory() as name:
        for number in range(_ROUNDS):
            without.append(play(Path(name) / f"without_{number}", 0))
            milliseconds, rate = watched(Path(name) / f"with_{number}")
            with_view.append(milliseconds)
            rates.append(rate)
    rows = [
        (name, number, *(float(p) for p in np.percentile(values, [50, 95])), len(values))
        for name, runs in (("without", without), ("with", with_view))
        for number, values in enumerate(runs)
    ]
    print(table(("view", "round", "p50 ms", "p95 ms", "commands"), rows))
    before, after = (float(np.percentile(np.concatenate(r), 95)) for r in (without, with_view))
    write_report(
        "view",
        {
            "capture_to_command_p95_ms": before,
            "capture_to_command_p95_with_view_ms": after,
            "growth_ms": after - before,
        },
        {"page_mb_a_second": rates, "rounds": rows},
    )


if __name__ == "__main__":
    main()
