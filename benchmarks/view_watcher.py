"""Somebody who has the browser view's page open, without the work of drawing it.

Takes every message that a browser would take.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

import msgspec
import viser
from viser import _messages
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

_PATIENCE_S = 60.0


def _look() -> bytes:
    """What a browser says first: from where it looks."""
    message = _messages.ViewerCameraMessage(
        wxyz=(1.0, 0.0, 0.0, 0.0), position=(2.0, 0.0, 0.0), fov=0.5, near=0.01, far=100.0,
        image_height=800, image_width=670, look_at=(0.0, 0.0, 0.0), up_direction=(0.0, 0.0, 1.0),
    )  # fmt: skip
    return msgspec.msgpack.encode(message.as_serializable_dict())


def watch(port: int) -> tuple[int, float]:
    """Watch until the view ends.

    Returns:
        Bytes taken, and seconds.
    """
    deadline = time.monotonic() + _PATIENCE_S
    protocols: Any = [f"viser-v{viser.__version__}"]
    while True:
        try:
            socket = connect(f"ws://127.0.0.1:{port}", subprotocols=protocols, max_size=None)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    taken, begin = 0, time.monotonic()
    try:
        with socket:
            socket.send(_look())
            while True:
                taken += len(socket.recv())
    except (WebSocketException, SystemExit):
        return taken, time.monotonic() - begin


def main() -> None:
    """Watch the port that the command line names; at the end print the bytes a second that came."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    count, seconds = watch(int(sys.argv[1]))
    print(f"{count / seconds:.0f}", flush=True)
