"""Shared memory that killed processes leave behind."""

import fcntl
import os

from rejshand_ros.nodes.shared_memory import sweep


def test_only_what_has_no_owner_is_removed(tmp_path):
    for name in ("fastdds_0123456789abcdef", "fastdds_fedcba9876543210", "fastdds_port7000", "x"):
        for path in (tmp_path / name, tmp_path / f"{name}_el"):
            path.touch()
            os.utime(path, (1, 1))
    young = tmp_path / "fastdds_00000000000000aa_el"
    young.touch()
    with (tmp_path / "fastdds_fedcba9876543210_el").open() as owned:
        fcntl.flock(owned, fcntl.LOCK_EX)
        assert sweep(tmp_path) == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "fastdds_00000000000000aa_el",
            "fastdds_fedcba9876543210",
            "fastdds_fedcba9876543210_el",
            "fastdds_port7000",
            "fastdds_port7000_el",
            "x",
            "x_el",
        ]
    assert sweep(tmp_path) == 1
    assert not (tmp_path / "fastdds_fedcba9876543210").exists()


def test_no_such_folder(tmp_path):
    assert sweep(tmp_path / "none") == 0
