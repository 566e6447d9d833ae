"""Make the virtual environment's Python find this checkout and its built messages by itself.

Writes into the environment a module and a .pth file that runs it whenever Python starts. It sets
what sourcing ``install/setup.bash`` would set, so that ``.venv/bin/python -m rejshand_ros...``
works from any folder with nothing sourced. The ROS wheels have a .pth file of their own that
starts Python anew once with ``LD_LIBRARY_PATH`` set; ours sorts before it, so that the messages'
libraries are part of that.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

_MODULE = "_rejshand_checkout"

_TEMPLATE = '''"""Finds the checkout and its messages; scripts/checkout_environment.py writes it."""

import os
import sys

CHECKOUT = {checkout!r}
MESSAGES = os.path.join(CHECKOUT, "install", "rejshand_msgs")
PYTHON = os.path.join(MESSAGES, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def _prepend(variable, path):
    parts = [part for part in os.environ.get(variable, "").split(os.pathsep) if part]
    if path in parts:
        return False
    os.environ[variable] = os.pathsep.join([path, *parts])
    return True


if CHECKOUT not in sys.path:
    sys.path.append(CHECKOUT)
new = _prepend("LD_LIBRARY_PATH", os.path.join(sys.prefix, "lib"))
_prepend("AMENT_PREFIX_PATH", sys.prefix)
if os.path.isdir(PYTHON):
    if PYTHON not in sys.path:
        sys.path.append(PYTHON)
    _prepend("AMENT_PREFIX_PATH", MESSAGES)
    new = _prepend("LD_LIBRARY_PATH", os.path.join(MESSAGES, "lib")) or new
if new:
    # A mark left by another environment's start must not keep this one from its own.
    os.environ.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
'''


def install(checkout: Path, site_packages: Path) -> None:
    """Write the module and the .pth file.

    Args:
        checkout: Root of the repository.
        site_packages: Of the virtual environment.
    """
    (site_packages / f"{_MODULE}.py").write_text(_TEMPLATE.format(checkout=str(checkout)))
    (site_packages / f"{_MODULE}.pth").write_text(f"import {_MODULE}\n")


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("checkout_environment: run it with a virtual environment's python")
    install(Path(__file__).resolve().parents[1], Path(sysconfig.get_path("purelib")))
