"""What an encoded image claims is known before anything is decoded."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rejshand_ros.encoded_image import MAX_PIXELS, check_claimed_size
from rejshand_ros.errors import InputError


@pytest.mark.parametrize(
    ("form", "options"),
    [(".png", []), (".jpg", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
     (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 4])],
)  # fmt: skip
def test_a_whole_image_has_the_size_it_claims(form: str, options: list[int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    data = cv2.imencode(form, picture, options)[1].tobytes()
    assert check_claimed_size(data) == (53, 37)


def test_a_few_bytes_cannot_claim_gigabytes() -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(InputError, match=f"30000 x 30000 .* up to {MAX_PIXELS}"):
        check_claimed_size(png)
    jpeg = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(InputError, match="60000 x 60000"):
        check_claimed_size(bytes(jpeg))


def test_a_chunk_cannot_claim_more_than_there_is() -> None:
    png = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    at = png.index(b"IDAT") - 4
    png[at : at + 4] = struct.pack(">I", 0xF6002000)
    with pytest.raises(InputError, match="chunk claims 4127203328 bytes"):
        check_claimed_size(bytes(png))


@given(st.binary(max_size=200), st.sampled_from((b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n")))
def test_anything_else_is_refused_and_ends(data: bytes, start: bytes) -> None:
    try:
        width, height = check_claimed_size(start + data)
    except InputError:
        return
    assert 0 < width * height <= MAX_PIXELS
