"""Make the virtual environment's Python find this checkout and its built messages by itself.

Writes into the environment a module and a .pth file that runs it whenever Python starts. It sets
what sourcing colcon's ``setup.bash`` would set, so that ``.venv/bin/python -m rejshand_ros...``
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
PACKAGES = ("rejshand_ros", "rejshand_msgs", "tf2_msgs")
PREFIXES = [os.path.join({install!r}, name) for name in PACKAGES]
PYTHON = os.path.join("lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def _prepend(variable, path):
    parts = [part for part in os.environ.get(variable, "").split(os.pathsep) if part]
    if path in parts:
        return False
    os.environ[variable] = os.pathsep.join([path, *parts])
    return True


if CHECKOUT not in sys.path:
    sys.path.append(CHECKOUT)
_prepend("AMENT_PREFIX_PATH", sys.prefix)
new = _prepend("LD_LIBRARY_PATH", os.path.join(sys.prefix, "lib"))
for prefix in PREFIXES:
    if os.path.isdir(os.path.join(prefix, PYTHON)):
        # After the checkout, which stands for the built copy of rejshand_ros.
        if os.path.join(prefix, PYTHON) not in sys.path:
            sys.path.append(os.path.join(prefix, PYTHON))
        _prepend("AMENT_PREFIX_PATH", prefix)
        new = _prepend("LD_LIBRARY_PATH", os.path.join(prefix, "lib")) or new
if new:
    # A mark left by another environment's start must not keep this one from its own.
    os.environ.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None)
'''


_COMMAND = """#!{python}
\"\"\"The command of this checkout; scripts/checkout_environment.py writes it.\"\"\"

import sys

from rejshand_ros.cli import main

sys.exit(main())
"""


def install(checkout: Path, environment: Path, site_packages: Path) -> None:
    """Write the module, the .pth file and the command ``rejshand``.

    Args:
        checkout: Root of the repository.
        environment: Root of the virtual environment.
        site_packages: Of the virtual environment.
    """
    module = _TEMPLATE.format(checkout=str(checkout), install=str(environment / "colcon/install"))
    (site_packages / f"{_MODULE}.py").write_text(module)
    (site_packages / f"{_MODULE}.pth").write_text(f"import {_MODULE}\n")
    command = environment / "bin" / "rejshand"
    command.write_text(_COMMAND.format(python=environment / "bin" / "python"))
    command.chmod(0o755)
    # Without one, colcon warns that the wheels' prefix is no installation.
    for shell in ("sh", "bash", "zsh"):
        name = f"local_setup.{shell}"
        (environment / name).write_text("# Python sets this environment up by itself.\n")


if __name__ == "__main__":
    if sys.prefix == sys.base_prefix:
        sys.exit("checkout_environment: run it with a virtual environment's python")
    install(
        Path(__file__).resolve().parents[1],
        Path(sys.prefix),
        Path(sysconfig.get_path("purelib")),
    )
