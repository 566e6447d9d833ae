"""Where the files beside the code lie: in a source checkout or below an installation's share/."""

from __future__ import annotations

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


def resource_path(relative: str) -> Path:
    """Find a file or folder that ships with the project.

    Args:
        relative: For example ``"config/hands/allegro_right.yaml"``.

    Raises:
        ConfigError: No installation holds it.
    """
    for root in resource_roots():
        if (root / relative).exists():
            return root / relative
    searched = ", ".join(str(root) for root in resource_roots()) or str(_PACKAGE.parent)
    raise ConfigError(f"{relative} not found below {searched}")
