"""A small share of the fuzzing in every run; `make bench NAME=fuzz` does the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import TARGETS
from benchmarks.fuzz_run import Target, run_target
from rejshand_ros.errors import ConfigError

_INPUTS = 60


@pytest.mark.ros
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_only_errors_of_our_own_come_out(target: Target, tmp_path: Path) -> None:
    outcome = run_target(target, _INPUTS, tmp_path)
    assert outcome.inputs == _INPUTS
    assert outcome.escaped == 0, outcome.kinds
    # Damage that is never noticed, or never harmless, would try nothing.
    assert 0 < outcome.refused < _INPUTS


def test_what_escapes_is_counted_and_told(tmp_path: Path) -> None:
    def attempt(number: int) -> None:
        if number % 3 == 0:
            raise ConfigError("refused")
        if number % 3 == 1:
            raise KeyError("escaped")

    outcome = run_target(Target("odd", 1.0, lambda folder: attempt), 300, tmp_path)
    assert outcome.inputs == 300
    assert 0 < outcome.refused < 300
    assert 0 < outcome.escaped < 300
    (kind,) = outcome.kinds
    assert kind.startswith("KeyError in test_fuzz.py")
    assert outcome.kinds[kind] % 3 == 1
