"""The browser view of a real chain, in a real browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import viser
import zstandard
from websockets.sync.client import connect

pytest.importorskip("rclpy", reason="needs rclpy")

from browser import chromium, die_with_parent, open_browser

from rejshand_ros.synthetic.clip import render_clip
from rejshand_ros.viewing.ports import free_port

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium"),
]
ROOT = Path(__file__).parents[1]
PICTURE = "document.querySelector('img[alt=camera]')"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    path: Path = folder / "clip.mp4"
    render_clip(path, folder / "clip.npz", seconds=3.0, width=320, height=240)
    return path


@pytest.fixture
def chain(clip: Path, tmp_path: Path) -> Iterator[tuple[str, str, Path]]:
    """A chain that plays until it is stopped: where its page is, its token, its folder."""
    yield from running(clip, tmp_path / "out", "127.0.0.1")


def running(clip: Path, out: Path, host: str) -> Iterator[tuple[str, str, Path]]:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "rejshand_ros.cli", "demo", "--input", str(clip), "--out",
            str(out), "--no-preview", "--view-port", str(free_port("127.0.0.1", 18180)),
            "--view-host", host,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    assert process.stdout is not None
    told = ""
    while "browser view: " not in told:
        line = process.stdout.readline()
        assert line, f"the demo ended with {process.wait()}: {told}"
        told += line
    address, _, token = told.partition("browser view: ")[2].strip().partition("; token of its ")
    token = token.removeprefix("buttons: ")
    try:
        # Without a GPU the scene's pixels cost the most; nothing here looks at them.
        yield f"{address}/?fixedDpr=0.1", token, out
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, told + rest


def zstandard_of(data: Any) -> bytes:
    """The compressed part of a message to the page: after two lengths of eight bytes."""
    size = int.from_bytes(data[8:16], "little")
    unpacked: bytes = zstandard.ZstdDecompressor().decompress(data[16 : 16 + size])
    return unpacked


def wait_for_state(page: Any, words: str) -> None:
    page.until(f"(document.querySelector('[data-hand]') || {{}}).innerText === {words!r}")


def test_the_page_shows_the_chain_and_its_buttons_act(
    chain: tuple[str, str, Path], tmp_path: Path
) -> None:
    url, token, out = chain
    assert token == ""
    with open_browser(tmp_path) as browser:
        page = browser.page(url)
        page.until(f"!!{PICTURE}")
        # A moving picture, with a skeleton over it.
        first = page.value(f"{PICTURE}.src")
        page.until(f"{PICTURE}.src !== {first!r} && {PICTURE}.naturalWidth === 320")
        page.until("document.querySelectorAll('svg circle').length >= 21")
        assert page.value("document.querySelectorAll('canvas').length") >= 3
        text = page.text()
        for words in ("Allegro · right hand", "Emergency stop", "Delay since the capture"):
            assert words in text
        # Every button acts on the chain, and the page tells what became of it.
        page.click("Disengage")
        wait_for_state(page, "Not engaged")
        page.click("Engage")
        page.until("!document.body.innerText.includes('Not engaged')")
        page.click("Emergency stop")
        wait_for_state(page, "Stopped")
        page.click("Engage")
        page.until("document.body.innerText.includes('Engage: refused')")
        page.click("Release the stop")
        wait_for_state(page, "Not engaged")
        page.click("Success")
        page.click("Start an episode")
        page.click("Discard")
        page.until("document.body.innerText.includes('thrown away')")
        # A second viewer gets the same, and whoever opens the page again finds everything.
        protocols: Any = [f"viser-v{viser.__version__}"]
        address = url.replace("http://localhost", "ws://127.0.0.1").partition("/?")[0]
        with connect(address, subprotocols=protocols, max_size=None) as second:
            while b"Not engaged" not in zstandard_of(second.recv(timeout=30)):
                pass
        page.open(url)
        wait_for_state(page, "Not engaged")
        page.until(f"!!{PICTURE}")
        page.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 50_000
    assert (out / "bag").is_dir()


def test_beyond_this_computer_the_buttons_need_the_token(clip: Path, tmp_path: Path) -> None:
    chains = running(clip, tmp_path / "out", "0.0.0.0")
    url, token, _ = next(chains)
    assert len(token) >= 12
    with open_browser(tmp_path) as browser:
        page = browser.page(url.replace("0.0.0.0", "127.0.0.1"))
        page.until(f"!!{PICTURE}")
        page.click("Unlock the controls")
        page.until("document.body.innerText.includes('Wrong token')")
        assert "Emergency stop" not in page.text()
        page.type("Token", token)
        # After a wrong token no other is looked at for a second.
        page.until(
            "[...document.querySelectorAll('button')].every(b => { if (b.innerText.trim() === "
            "'Unlock the controls') { b.click(); return false; } return true; })"
        )
        page.click("Emergency stop")
        wait_for_state(page, "Stopped")
    for _ in chains:
        pass
