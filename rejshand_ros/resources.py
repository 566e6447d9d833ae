"""Where the files beside the code lie: in a source checkout or below an installation's share/."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from rejshand_ros.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def resource_roots() -> tuple[Path, ...]:
    """Folders that may hold config/, urdf/ and launch/, the source checkout first."""
    roots = [_PACKAGE.parent]
    # An ament installation: <prefix>/lib/python3.X/site-packages/rejshand_ros, with the files in
    # <prefix>/share/rejshand_ros. Debian's scheme adds a local/ or uses dist-packages.
    roots += [parent / "share" / "rejshand_ros" for parent in list(_PACKAGE.parents)[2:6]]
    roots.append(Path(sysconfig.get_path("data")) / "share" / "rejshand_ros")
    return tuple(root for root in roots if (root / "config").is_dir())


def named_by(file: Path, name: str) -> Path:
    """Path of a file that another one names, seen from that one's folder.

    Args:
        file: The file that names it.
        name: What stands in it: a relative path.

    Raises:
        ConfigError: It would lead out of the folder that holds the file's own folder: what a file
            from elsewhere names must not reach the rest of the disk.
    """
    allowed = os.path.normpath(file.absolute().parent.parent)
    # By name alone: an installation may link each of its files to the source checkout.
    path = os.path.normpath(file.absolute().parent / name)
    if "\0" in name or Path(name).is_absolute() or os.path.commonpath([allowed, path]) != allowed:
        raise ConfigError(f"{file} names {name!r}, which lies outside {allowed}")
    return Path(path)


def resource_path(relative: str) -> Path:
    """Find a file or folder that ships with the project.

    Args:
        relative: For example ``"config/hands/allegro_right.yaml"``.

    Raises:
        ConfigError: No installation holds it, or it leads out of the project.
    """
    given = Path(relative)
    if ".." in given.parts or given.is_absolute() or "\0" in relative:
        raise ConfigError(f"{relative!r} leads out of the project")
    for root in resource_roots():
        if (root / relative).exists():
            return root / relative
    searched = ", ".join(str(root) for root in resource_roots()) or str(_PACKAGE.parent)
    raise ConfigError(f"{relative} not found below {searched}")
