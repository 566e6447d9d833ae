"""A real Chromium without a window, driven through its DevTools protocol."""

from __future__ import annotations

import base64
import ctypes
import itertools
import json
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def die_with_parent() -> None:
    """To be called in a child: the kernel kills it where the test run itself is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def chromium() -> str | None:
    """Path of the browser, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None)
        self._numbers = itertools.count(1)
        self.call("Page.enable")
        self.call("Runtime.enable")

    def call(self, method: str, **parameters):
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def value(self, expression: str):
        """Value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        return self.value("document.body ? document.body.innerText : ''")

    def until(self, expression: str, timeout_s: float = 60.0):
        """Wait until an expression is true, and return its value."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.value(expression)):
            assert time.monotonic() < deadline, f"{expression} did not come true:\n{self.text()}"
            time.sleep(0.1)
        return found

    def click(self, label: str) -> None:
        """Press the button with a label."""
        wanted = json.dumps(label)
        self.until(
            f"[...document.querySelectorAll('button')].some(b => b.innerText.trim() === {wanted})"
        )
        self.value(
            f"[...document.querySelectorAll('button')]"
            f".find(b => b.innerText.trim() === {wanted}).click()"
        )

    def type(self, label: str, text: str) -> None:
        """Fill the field with a label in, as the keyboard would."""
        find = (
            "(() => { for (let e of document.querySelectorAll('*')) {"
            f" if (e.children.length || (e.innerText || '').trim() !== {json.dumps(label)})"
            " continue; for (; e; e = e.parentElement) {"
            " const i = e.querySelector('input'); if (i) return i; } } return null; })()"
        )
        self.until(f"!!{find}")
        self.value(f"{find}.focus()")
        self.call("Input.insertText", text=text)
        self.until(f"{find}.value === {json.dumps(text)}")

    def screenshot(self, path: Path) -> None:
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        self._socket.close()


class Browser:
    """A browser of its own."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def page(self, url: str) -> Page:
        request = urllib.request.Request(f"{self._url}/json/new", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            page = Page(json.load(answer)["webSocketDebuggerUrl"])
        page.open(url)
        return page


@contextmanager
def open_browser(folder: Path, width: int = 1000, height: int = 560) -> Iterator[Browser]:
    """Start the browser with a profile of its own below a folder."""
    path = chromium()
    assert path is not None
    profile = folder / "profile"
    process = subprocess.Popen(
        [
            path, "--headless=new", "--no-sandbox", "--disable-dev-shm-usage",
            "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--mute-audio",
            "--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=*",
            f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        marker = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not (marker.exists() and marker.read_text().strip()):
            assert process.poll() is None, f"{path} ended with status {process.returncode}"
            assert time.monotonic() < deadline, f"{path} opened no port in time"
            time.sleep(0.05)
        yield Browser(int(marker.read_text().splitlines()[0]))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
