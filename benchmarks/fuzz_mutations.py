"""Damage of the kinds that files and programs do to data, each told by one number."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

ODD_VALUES: tuple[Any, ...] = (
    None, True, "", "x", "\x00", "../../etc/passwd", 0, -1, 1, 2**63, -(2**31), 10**400, 0.5, -0.0,
    1e308, float("nan"), float("inf"), [], {}, [[]], [None], {"x": {}}, "1e400",
    "\u00e9\u4e2d" * 50,
    [0.0] * 1000, {str(index): index for index in range(50)},
)  # fmt: skip
"""What may stand where a file's author expects something else."""
_ODD_BYTES = (b"\x00", b"\xff", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x00" * 64, b"[" * 3000, b"&a")
_NUMBERS = (
    b"0",
    b"-1",
    b"1e999",
    b"nan",
    b"99999999999999999999",
    b"2001-99-99",
    b"0x",
    b"!!python",
)


def damaged_bytes(seed: bytes, number: int) -> bytes:
    """A copy with bytes changed, cut, doubled, moved or put in.

    Args:
        seed: What is whole.
        number: Which damage; the same number gives the same one.
    """
    rng = random.Random(number)
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(data) + 1)
        size = min(rng.choice((1, 1, 2, 4, 8, 100, 1000)), len(data) - at)
        action = rng.randrange(7)
        if action == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at : at + size] = rng.randbytes(size)
        elif action == 2:
            del data[at : at + size]
        elif action == 3:
            data[at:at] = data[at : at + size]
        elif action == 4:
            data[at : at + size] = rng.choice(_ODD_BYTES)
        elif action == 5:
            data[at:at] = rng.choice(_NUMBERS)
        else:
            del data[at:]
    return bytes(data)


def damaged_tree(tree: Any, number: int) -> Any:
    """A copy of nested mappings and lists with one or two of its values replaced or left out."""
    rng = random.Random(number)
    for _ in range(rng.choice((1, 1, 2))):
        tree = _replaced(tree, rng)
    return tree


def _replaced(tree: Any, rng: random.Random) -> Any:
    go_deeper = rng.random() < 0.8
    if isinstance(tree, dict) and tree and go_deeper:
        key = rng.choice(list(tree))
        action = rng.randrange(8)
        if action == 0:
            return {name: value for name, value in tree.items() if name != key}
        if action == 1:
            odd = rng.choice(ODD_VALUES)
            return {**tree, odd if isinstance(odd, str | int | float | None) else "odd": tree[key]}
        return {**tree, key: _replaced(tree[key], rng)}
    if isinstance(tree, list) and tree and go_deeper:
        index = rng.randrange(len(tree))
        action = rng.randrange(8)
        if action == 0:
            return tree[:index] + tree[index + 1 :]
        if action == 1:
            return tree[: index + 1] + tree[index:]
        return [*tree[:index], _replaced(tree[index], rng), *tree[index + 1 :]]
    return rng.choice(ODD_VALUES)


def damaged_text(tree: Any, number: int, write: Callable[[Any], str] = yaml.safe_dump) -> bytes:
    """A file of settings with damage in what it says, or in how it is written.

    Args:
        tree: What it says when whole.
        number: Which damage.
        write: From what it says to its text.
    """
    if number % 3:
        return write(damaged_tree(tree, number // 3)).encode(errors="surrogatepass")
    return damaged_bytes(write(tree).encode(), number // 3)


def chosen(seeds: Sequence[Any], number: int) -> tuple[Any, int]:
    """One of several seeds, and the rest of the number."""
    return seeds[number % len(seeds)], number // len(seeds)
