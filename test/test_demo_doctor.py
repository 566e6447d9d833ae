"""The doctor finds what is wrong and says what to do about it."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from rejshand_ros.demo import doctor
from rejshand_ros.demo.findings import Check, Finding, Level, told
from rejshand_ros.errors import MissingDependencyError, ModelFileError

Usage = namedtuple("Usage", "total used free")


def finding(name: str) -> Finding:
    return next(check for check in doctor.checks() if check.name == name).run()


def test_everything_that_the_chain_needs_is_looked_at() -> None:
    names = {check.name for check in doctor.checks()}
    assert names >= {
        "Python", "rclpy", "RMW", "GPU", "camera", "weights", "disk", "shared memory",
        "images at 720p", "viser", "rejshand_msgs",
    }  # fmt: skip
    assert "images at 720p" not in {check.name for check in doctor.checks(quick=True)}


def test_what_a_check_raises_is_a_finding_with_advice() -> None:
    def broken() -> str:
        raise ModelFileError("weights  are\ncut short")

    found = Check("weights", broken, "fetch them again").run()
    assert found == Finding(Level.MISSING, "weights are cut short", "fetch them again")
    assert "-> fetch them again" in told("weights", found, 10)


def test_a_full_disk_and_little_shared_memory_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 100 << 20))
    assert finding("disk").level is Level.MISSING
    assert "remount" in finding("shared memory").advice
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, 5 << 30))
    assert finding("disk").level is Level.NOTE
    assert "an hour" in finding("disk").advice


def test_another_middleware_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    utilities = pytest.importorskip("rclpy.utilities", reason="needs rclpy")
    assert finding("RMW").level is Level.OK
    monkeypatch.setattr(
        utilities, "get_rmw_implementation_identifier", lambda: "rmw_cyclonedds_cpp"
    )
    assert finding("RMW").level is Level.NOTE
    assert "16 MB" in finding("RMW").advice


def test_one_missing_part_fails_the_visit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_LIBRARIES", ("numpy", "no_such_library"))
    with pytest.raises(MissingDependencyError, match="1 of"):
        doctor.main(["--quick"])
    shown = capsys.readouterr().out
    assert "MISSING  no_such_library" in shown
    assert "make install" in shown


@pytest.mark.ros
@pytest.mark.slow
def test_the_loss_of_images_is_measured_between_real_processes() -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    from rejshand_ros.demo.image_loss import measure_loss

    assert 0.0 <= measure_loss("compressed", images=15) < 1.0
