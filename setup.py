"""How colcon and pip install the package; what it needs from ROS stands in package.xml."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
NAME = "rejshand_ros"
NODES = (
    "camera",
    "hand_pose",
    "retargeting",
    "command",
    "simulation",
    "recorder",
    "replay",
    "viewer",
    "frames",
    "markers",
    "manager",
)


def requirements(name: str) -> list[str]:
    """The packages that a requirements file names, without versions: pinning is for checkouts."""
    lines = (ROOT / "requirements" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def shared_files() -> list[tuple[str, list[str]]]:
    """What goes below share/rejshand_ros, folder by folder."""
    files = [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ]
    for top in ("config", "urdf", "launch"):
        for folder in [ROOT / top, *sorted(p for p in (ROOT / top).rglob("*") if p.is_dir())]:
            if folder.name == "__pycache__":
                continue
            # Paths relative to setup.py: colcon's symbolic links are made from these.
            names = [str(p.relative_to(ROOT)) for p in sorted(folder.glob("*")) if p.is_file()]
            if names:
                files.append((f"share/{NAME}/{folder.relative_to(ROOT)}", names))
    return files


setup(
    name=NAME,
    version="0.1.0",
    description="Drive a dexterous robot hand with a bare hand seen by one camera.",
    author="rejshand_ros maintainers",
    maintainer="rejshand_ros maintainers",
    maintainer_email="rejshand-ros@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        f"{NAME}.hand": ["*.npz"],
        f"{NAME}.weights": ["*.safetensors", "*.json", "*.xml", "*.bin", "*.md"],
    },
    data_files=shared_files(),
    install_requires=["setuptools", *requirements("core")],
    extras_require={"training": requirements("training"), "export": requirements("export")},
    tests_require=["pytest"],
    zip_safe=False,
    entry_points={
        "console_scripts": [
            f"rejshand = {NAME}.cli:main",
            *(f"{node} = {NAME}.nodes.{node}:main" for node in NODES),
        ]
    },
)
