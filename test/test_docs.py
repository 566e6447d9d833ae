"""What README and docs point at is there, and what they tell to type exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rejshand_ros.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_targets_verbs_launch_files_and_arguments_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", blocks, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for verb in re.findall(r"rejshand ([a-z][a-z-]+)", blocks):
        assert verb in VERBS, verb
    arguments = (ROOT / "rejshand_ros/nodes/launch_arguments.py").read_text(encoding="utf-8")
    for line in re.findall(r"ros2 launch rejshand_ros .*", blocks):
        name = line.split()[3]
        source = (ROOT / "launch" / name).read_text(encoding="utf-8")
        for argument in re.findall(r"(\w+):=", line):
            assert f'"{argument}"' in arguments + source, f"{argument} in {line}"


def dry_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What make would do."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    return subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_make_refuses_a_setting_that_it_does_not_know() -> None:
    done = dry_run("demo", "SECONDS=10", "hand=shadow")
    assert done.returncode == 2
    assert "SECONDS" in done.stderr and "hand" in done.stderr and "valid: INPUT" in done.stderr
    done = dry_run("demo", "INPUT=my clip.mp4", "MIRROR=no", "ARGS=--view-port 9000 A=1", "ROS_X=1")
    assert done.returncode == 0
    assert "--input 'my clip.mp4'" in done.stdout and "--view-port 9000 A=1" in done.stdout
    assert "--mirror" not in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_line_names_settings_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"(?:^|`)(make [a-z-]+(?: [A-Z]+=\S+)*)", text, re.MULTILINE):
        settings = re.findall(r" ([A-Z]+)=", line.partition(" ARGS=")[0])
        done = dry_run("help", *(f"{name}=x" for name in settings))
        assert done.returncode == 0, f"{line}: {done.stderr}"
