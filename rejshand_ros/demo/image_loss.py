"""The share of 1280 x 720 images that the middleware loses between two processes."""

from __future__ import annotations

import subprocess
import sys

from rejshand_ros.demo.chain import chain_environment
from rejshand_ros.demo.domain import reserved_domain
from rejshand_ros.errors import ProcessError

_IMAGES = 75
_LIMIT_S = 60.0


def measure_loss(transport: str, images: int = _IMAGES) -> float:
    """Send images at 30 Hz from one process to another, in the chain's own environment.

    Args:
        transport: ``raw`` or ``compressed``.
        images: How many.

    Returns:
        The share that was lost, 0..1.

    Raises:
        ProcessError: The processes failed, or nothing arrived at all.
    """
    with reserved_domain() as domain:
        try:
            done = subprocess.run(
                [
                    sys.executable, "-m", "rejshand_ros.nodes.image_probe", "count", transport,
                    str(images),
                ],
                env=chain_environment(domain),
                capture_output=True,
                text=True,
                timeout=_LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ProcessError(f"no {transport} images came through in {_LIMIT_S:g} s") from None
    if done.returncode or not done.stdout.strip().isdigit():
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise ProcessError(f"measuring the loss of {transport} images failed: {last[0]}")
    arrived = int(done.stdout)
    if not arrived:
        raise ProcessError(f"none of {images} {transport} images arrived")
    return 1.0 - arrived / images
