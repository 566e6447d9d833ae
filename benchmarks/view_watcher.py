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


def _look() -> bytes:
    """What a browser says first: from where it looks."""
    message = _messages.ViewerCameraMessage(
        wxyz=(1.0, 0.0, 0.0, 0.0), position=(2.0, 0.0, 0.0), fov=0.5, near=0.01, far=100.0,
        image_height=800, image_width=670, look_at=(0.0, 0.0, 0.0), up_direction=(0.0, 0.0, 1.0),
    )  # fmt: skip
    return msgspec.msgpack.encode(message.as_serializable_dict())


def watch(port: int) -> tuple[int, float]:
    """Watch until terminated; connect again where the connection ends, as a browser does.

    Returns:
        Bytes taken, and seconds since the first connection.
    """
    protocols: Any = [f"viser-v{viser.__version__}"]
    taken, begin = 0, time.monotonic()
    try:
        while True:
            try:
                with connect(
                    f"ws://127.0.0.1:{port}", subprotocols=protocols, max_size=None
                ) as socket:
                    begin = begin if taken else time.monotonic()
                    socket.send(_look())
                    while True:
                        taken += len(socket.recv())
            except (OSError, WebSocketException):
                time.sleep(0.1)
    except SystemExit:
        return taken, time.monotonic() - begin


def main() -> None:
    """Watch the port that the command line names; at the end print the bytes a second that came."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    count, seconds = watch(int(sys.argv[1]))
    print(f"{count / seconds:.0f}", flush=True)
