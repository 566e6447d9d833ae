"""What a run is summed up to, against runs whose answer is known."""

import json

import numpy as np
import pytest

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.demo.accuracy import accuracy, flipped
from rejshand_ros.demo.bag_facts import BagFacts, SideFacts, gather
from rejshand_ros.demo.limits_check import count_violations
from rejshand_ros.demo.summary import as_text, summarise, write_summary
from rejshand_ros.errors import RecordingError
from rejshand_ros.geometry import rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.synthetic.clip import ClipTruth

LIMITS = JointLimits(("a", "b"), [-1, -1], [1, 1], [2, 2], [50, 50])
MS = 1_000_000


@pytest.mark.parametrize(
    ("positions", "count"),
    [
        ([[0, 0], [0.02, -0.02], [0.04, -0.04]], 0),
        ([[0, 0], [0.021, 0], [0.04, 0]], 1),
        ([[1, 1], [1.001, 1], [1, 1]], 1),
        ([[0, 0], [np.nan, 0], [0, 0]], 1),
        ([[0, 0], [0.5, 0], [0, 0]], 2),
        ([], 0),
    ],
)
def test_violations_are_counted(positions, count):
    stamps = [10 * MS * index for index in range(len(positions))]
    assert count_violations(stamps, [np.array(p, float) for p in positions], LIMITS) == count


def facts():
    side = SideFacts(
        pose_received={0: 20 * MS, 30 * MS: 52 * MS},
        target_received={0: 22 * MS, 30 * MS: 54 * MS},
        fingertip_errors_m=[0.01, 0.03],
        solver_failures=1,
        command_stamps=[23 * MS, 33 * MS],
        command_positions=[np.zeros(2), np.full(2, 0.01)],
        first_issued={0: 24 * MS, 30 * MS: 56 * MS},
    )
    return BagFacts(
        image_received={0: 1 * MS, 30 * MS: 32 * MS, 60 * MS: 61 * MS},
        processed=[0, 30 * MS],
        found=[0],
        clip={"sent": "3"},
        diagnostics={"/hand_pose": {"weights": "default", "runtime": "some"}},
        sides={"right": side},
    )


def test_a_run_is_summed_up(tmp_path):
    summary = summarise(
        facts(), {"right": LIMITS}, bag=tmp_path / "bag", hand="allegro", side="right"
    )
    assert (summary["frames_in"], summary["frames_processed"], summary["frames_dropped"]) == (
        3,
        2,
        1,
    )
    assert (summary["hand_found_ratio"], summary["commands"]) == (0.5, 2)
    assert (summary["limit_violations"], summary["solver_failures"]) == (0, 1)
    assert summary["mean_fingertip_error_mm"] == 20.0
    assert summary["latency_ms"]["capture_to_command"] == {"p50": 25.0, "p95": 25.9}
    assert summary["latency_ms"]["capture_to_hand_pose"]["p50"] == 21.0
    assert (summary["weights"], summary["runtime"]) == ("default", "some")
    assert "accuracy" not in summary
    write_summary(tmp_path / "summary.json", summary)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert "2 processed, 1 dropped" in as_text(summary)


def test_an_empty_run_is_summed_up_too(tmp_path):
    summary = summarise(
        BagFacts(sides={"right": SideFacts()}),
        {"right": LIMITS},
        bag=tmp_path,
        hand="allegro",
        side="right",
    )
    assert (summary["frames_in"], summary["commands"], summary["hand_found_ratio"]) == (0, 0, 0.0)
    assert summary["mean_fingertip_error_mm"] is None
    assert "fingertips" not in as_text(summary)


@pytest.mark.parametrize("flip", [False, True])
def test_accuracy_is_blind_to_place_and_turn_but_not_to_the_frame(flip):
    rng = np.random.default_rng(3)
    xyz, vertices = rng.normal(size=(5, 21, 3)), rng.normal(size=(5, 778, 3))
    uv = 100 + 50 * rng.random((5, 21, 2))
    truth = ClipTruth(uv, xyz, vertices, np.eye(3), 30.0, Side.RIGHT)
    truth = flipped(truth, 640) if flip else truth
    assert truth.side is (Side.LEFT if flip else Side.RIGHT)
    turn = rotation_from_vector([0.3, 0.2, -0.5])
    start, seen = 1_000_000_000, SideFacts()
    for index in range(7):
        stamp = start + round(index * 1e9 / 30)
        # The clip is played again from its sixth image on.
        seen.keypoints_3d[stamp] = 1.1 * truth.xyz[index % 5] @ turn.T + 0.4
        seen.vertices[stamp] = truth.vertices[index % 5] @ turn.T
        seen.keypoints_2d[stamp] = truth.uv[index % 5] + 1.0
    found = accuracy(seen, truth, start, 30.0)
    assert found["pa_mpjpe_mm"] < 1e-3
    assert found["pa_mpvpe_mm"] < 1e-3
    assert found["pck_2d"] == 1.0
    late = accuracy(seen, truth, start - round(1e9 / 30), 30.0)
    assert late["pa_mpjpe_mm"] > 100
    assert accuracy(SideFacts(), truth, start, 30.0) is None


def test_a_missing_bag_is_said(tmp_path):
    with pytest.raises(RecordingError, match="holds no"):
        gather(tmp_path, ["right"], meshes=False)
