"""CDR, the form in which messages travel, written and read a field at a time.

Every number lies at a multiple of its own size, counted from behind the four bytes that name the
form (OMG DDS-XTypes 1.3, 7.4.1: plain CDR, version 1). Only the little-endian one is written here,
and read; what reads it otherwise is the message's own deserialiser.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rejshand_ros.errors import InputError

LITTLE_ENDIAN = b"\x00\x01"
"""The first two bytes of what `CdrReader` reads."""
_BEGIN = 4


class CdrWriter:
    """Writes one message."""

    def __init__(self) -> None:
        self._out = bytearray(LITTLE_ENDIAN + b"\x00\x00")

    def numbers(self, kinds: str, *values: float) -> None:
        """Numbers one after the other, of `struct`'s kinds, all of one size."""
        self._align(struct.calcsize(kinds[-1]))
        self._out += struct.pack(f"<{kinds}", *values)

    def text(self, text: str) -> None:
        """A string."""
        encoded = text.encode() + b"\x00"
        self.numbers("I", len(encoded))
        self._out += encoded

    def array(self, values: NDArray[Any], count: int | None = None) -> None:
        """A sequence of numbers, or of `count` parts of as many numbers each."""
        self.numbers("I", values.size if count is None else count)
        if values.size:
            self._align(values.itemsize)
        self._out += values.tobytes()

    def message(self, tail: bytes | memoryview = b"") -> bytes:
        """All of it, with the bytes of a last field that is too long to be copied twice."""
        return b"".join((self._out, tail))

    def _align(self, size: int) -> None:
        self._out += b"\x00" * ((_BEGIN - len(self._out)) % size)


class CdrReader:
    """Reads one message.

    Args:
        data: What a raw subscription hands over.
        what: What it is, for errors.

    Raises:
        InputError: It is of another form; so do the methods where it is cut short.
    """

    def __init__(self, data: bytes, what: str) -> None:
        if data[:2] != LITTLE_ENDIAN:
            raise InputError(f"{what} is not little-endian CDR")
        self._data, self._what, self._at = data, what, _BEGIN

    def numbers(self, kinds: str) -> tuple[Any, ...]:
        """Numbers one after the other, of `struct`'s kinds, all of one size."""
        self._align(struct.calcsize(kinds[-1]))
        try:
            values = struct.unpack_from(f"<{kinds}", self._data, self._at)
        except struct.error:
            raise self._short() from None
        self._at += struct.calcsize(f"<{kinds}")
        return values

    def text(self) -> str:
        """A string."""
        (length,) = self.numbers("I")
        encoded = self._data[self._at : self._at + length]
        if len(encoded) < length:
            raise self._short()
        self._at += length
        return encoded.rstrip(b"\x00").decode(errors="replace")

    def array(self, kind: DTypeLike, parts: int = 1) -> NDArray[Any]:
        """A sequence of numbers, or of parts of as many numbers each, as a view of the bytes.

        Returns:
            (n,) of the kind, or (n, parts).
        """
        numbers = np.dtype(kind).newbyteorder("<")
        (count,) = self.numbers("I")
        if count:
            self._align(numbers.itemsize)
        size = count * parts * numbers.itemsize
        if self._at + size > len(self._data):
            raise self._short()
        values = np.frombuffer(self._data, numbers, count * parts, self._at)
        self._at += size
        return values if parts == 1 else values.reshape(count, parts)

    def _align(self, size: int) -> None:
        self._at += (_BEGIN - self._at) % size

    def _short(self) -> InputError:
        return InputError(f"{self._what} of {len(self._data)} bytes is cut short")
