"""The mend of the ROS wheels, the checkout's own environment, and what benchmarks leave behind."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from packaging.requirements import Requirement

from benchmarks import __main__ as bench
from benchmarks.report import table, write_report
from rejshand_ros.errors import ConfigError, InputError

ROOT = Path(__file__).resolve().parents[1]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_wheels_are_pointed_at_this_environment_and_only_once(tmp_path: Path) -> None:
    mend = script("mend_ros_wheels")
    exported = tmp_path / "share/some_msgs/cmake/export.cmake"
    exported.parent.mkdir(parents=True)
    site = "/opt/python/cp312-cp312/lib/python3.12/site-packages"
    exported.write_text(
        f'include("{site}/numpy/_core/include;/opt/python/cp312-cp312/include/python3.12;'
        f'/opt/python/cp312-cp312/include/some_msgs;{site}/some_msgs")'
    )
    untouched = tmp_path / "share/some_msgs/binary"
    untouched.write_bytes(b"/opt/python/cp312-cp312\xff\xfe")
    assert mend.mend(tmp_path) == [exported]
    text = exported.read_text()
    assert "/opt/python" not in text
    assert np.get_include() in text
    assert f"{tmp_path}/include/some_msgs" in text
    assert mend.mend(tmp_path) == []
    assert untouched.read_bytes().endswith(b"\xff\xfe")


def test_the_environment_finds_the_messages_and_starts_anew_only_when_it_must(
    tmp_path: Path,
) -> None:
    environment, site = tmp_path / "venv", tmp_path / "site"
    site.mkdir()
    (environment / "bin").mkdir(parents=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = environment / "colcon/install/rejshand_msgs"
    (prefix / "lib" / version / "site-packages").mkdir(parents=True)
    script("checkout_environment").install(tmp_path / "checkout", environment, site)
    assert (site / "_rejshand_checkout.pth").read_text() == "import _rejshand_checkout\n"
    shown = (
        f"import sys, os; sys.path.insert(0, {str(site)!r}); import _rejshand_checkout; "
        "print(os.environ['LD_LIBRARY_PATH']); "
        "print(os.environ.get('_ROS_WHEELS_BOOTSTRAP_COMPLETE')); "
        f"print({str(prefix / 'lib' / version / 'site-packages')!r} in sys.path)"
    )
    first = _run(shown, {"_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"})
    assert str(prefix / "lib") in first[0].split(":")
    assert first[1:] == ["None", "True"]
    again = _run(shown, {"_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1", "LD_LIBRARY_PATH": first[0]})
    assert again == [first[0], "1", "True"]


def _run(code: str, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("python", "said"), [("no-such-python", "not found"), ("/bin/false", "does not run")]
)
def test_a_missing_prerequisite_is_one_line(python: str, said: str) -> None:
    done = subprocess.run(
        ["sh", str(ROOT / "scripts/prerequisites.sh"), python],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_failing_step_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "deep/step.log"
    done = subprocess.run(
        ["sh", str(ROOT / "scripts/logged.sh"), "a step", str(log), "sh", "-c", "echo why; exit 7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "why"
    assert "a step failed (status 7)" in done.stderr
    assert log.read_text() == "why\n"


def test_table_refuses_ragged_rows() -> None:
    assert table(("name", "mm"), [("index", 1.25), ("thumb", 12.5)]).splitlines()[2:] == [
        "index  1.25",
        "thumb  12.5",
    ]
    with pytest.raises(InputError, match="header of 2"):
        table(("name", "mm"), [("index",)])


def test_report_keeps_figures_on_top_and_the_rest_below(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    details = {"curve": np.arange(3), "worst": np.float64("nan"), "file": Path("a/b")}
    path = write_report("speed", {"hz": 30.5, "fast": True}, details, tmp_path)
    content = json.loads(path.read_text())
    assert content["hz"] == 30.5
    assert content["fast"] is True
    assert content["details"]["curve"] == [0, 1, 2]
    assert content["details"]["worst"] is None
    assert content["details"]["machine"]["cores"] >= 1
    assert "30.5" in capsys.readouterr().out
    with pytest.raises(InputError, match="details"):
        write_report("speed", {"details": 1}, folder=tmp_path)


def test_benchmarks_are_found_and_wrong_names_answered_with_the_right_ones() -> None:
    names = bench.benchmark_names()
    assert "report" not in names
    assert "accuracy" in names
    with pytest.raises(ConfigError, match="accuracy"):
        bench.chosen(["acuracy"])
    assert bench.chosen([]) == names


def installed(folder: Path, name: str, version: str, *requires: str) -> None:
    """What pip leaves of a package for others to read."""
    about = folder / f"{name}-{version}.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    about.write_text("\n".join(["Metadata-Version: 2.1", *lines]) + "\n")


def test_what_a_package_brings_along_is_asked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    first_missing = script("install_one_by_one").first_missing
    wanted = [Requirement("big_net==2.0"), Requirement("small==1.0")]
    installed(tmp_path, "small", "1.0")
    assert first_missing(wanted, [str(tmp_path)]) == wanted[0]
    toolkit = "gpu-kit[maths]==13.2; sys_platform != 'nowhere'"
    installed(tmp_path, "big_net", "2.0", toolkit, "plots; extra == 'plots'")
    needs = [str(first_missing(wanted, [str(tmp_path)]))]
    installed(tmp_path, "gpu_kit", "13.2", "maths==4.*; extra == 'maths'", "io; extra == 'io'")
    needs.append(str(first_missing(wanted, [str(tmp_path)])))
    installed(tmp_path, "maths", "3.9")
    needs.append(str(first_missing(wanted, [str(tmp_path)])))
    assert needs[0].startswith("gpu-kit[maths]==13.2")
    assert [need.partition(";")[0] for need in needs[1:]] == ["maths==4.*"] * 2
    (tmp_path / "maths-3.9.dist-info").rename(tmp_path / "other")
    installed(tmp_path, "maths", "4.1")
    assert first_missing(wanted, [str(tmp_path)]) is None
