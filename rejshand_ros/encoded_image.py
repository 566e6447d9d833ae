"""What a JPEG or PNG says of its size, before a decoder makes room for it.

Thirty bytes can claim a picture of gigabytes, and decoders believe them.
"""

from __future__ import annotations

from rejshand_ros.errors import InputError

MAX_PIXELS = 1 << 26
"""As many as a camera of 67 megapixels has: 200 MB once decoded."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Of the segments that hold a JPEG's size, whatever its coding."""
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))
"""Markers that no length follows."""


def check_claimed_size(data: bytes | memoryview) -> tuple[int, int]:
    """Size that an encoded image claims to have.

    Args:
        data: The whole file.

    Returns:
        (width, height), pixels.

    Raises:
        InputError: It is neither a JPEG nor a PNG, claims no size, or too large a one, or a part
            of a PNG claims more bytes than there are.
    """
    view = memoryview(data).cast("B")
    start = bytes(view[:16])
    if start[:8] == _PNG:
        size = (_number(view, 16, 4), _number(view, 20, 4)) if start[12:] == b"IHDR" else (0, 0)
        _check_chunks(view)
    elif start[:2] == _JPEG:
        size = _jpeg_size(view)
    else:
        raise InputError(f"image data starts with {bytes(view[:8])!r}; valid: JPEG, PNG")
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(
            f"encoded image claims {width} x {height} pixels; valid: up to {MAX_PIXELS} in all"
        )
    return size


def _check_chunks(view: memoryview) -> None:
    """See that no chunk claims more than follows it: decoders make room for it first."""
    at = len(_PNG)
    # A length of 4 bytes, a name of 4, the content, a checksum of 4 (PNG, 5.3).
    while at + 12 <= len(view):
        length = _number(view, at, 4)
        if length > len(view) - at - 12:
            raise InputError(
                f"a PNG's chunk claims {length} bytes; valid: up to the {len(view) - at - 12} left"
            )
        if bytes(view[at + 4 : at + 8]) == b"IEND":
            return
        at += 12 + length


def _jpeg_size(view: memoryview) -> tuple[int, int]:
    """(width, height) of the first frame; zeros where none is found (ITU-T T.81, B.2.2)."""
    at = 2
    while at + 9 <= len(view):
        if view[at] != 0xFF:
            at += 1  # decoders skip what stands between segments, and so must this
            continue
        marker = view[at + 1]
        if marker in _FRAME_MARKERS:
            return _number(view, at + 7, 2), _number(view, at + 5, 2)
        if marker in _ALONE or marker in (0x00, 0xFF):
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + max(2, _number(view, at + 2, 2))
    return 0, 0


def _number(view: memoryview, at: int, size: int) -> int:
    return int.from_bytes(view[at : at + size], "big")
