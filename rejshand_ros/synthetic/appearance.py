"""Skins, cloths, things and lamps drawn at random over a wide range."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.synthetic.mesh import Light, Material

# sRGB of skin from very light to very dark, in the spirit of the usual six or ten tone scales.
_TONES = np.array(
    [
        [246, 214, 196], [238, 196, 172], [224, 178, 148], [206, 158, 124], [186, 134, 102],
        [158, 108, 80], [126, 84, 62], [96, 64, 48], [70, 47, 38],
    ],
    float,
)  # fmt: skip


def linear(srgb: Array) -> Array:
    """Linear RGB 0..1 of a display colour 0..255; gamma 2, as the shading kernel encodes."""
    return np.asarray((np.asarray(srgb, float) / 255.0) ** 2)


def skin_colour(rng: np.random.Generator) -> Array:
    """(3,) linear RGB of a random skin under white light."""
    place = rng.beta(1.1, 1.5) * (len(_TONES) - 1)
    low = min(int(place), len(_TONES) - 2)
    tone = _TONES[low] + (place - low) * (_TONES[low + 1] - _TONES[low])
    # Blood, sun and yellow tones vary apart from darkness.
    tone = tone * (1 + rng.normal(0, 0.035, 3)) + np.array([8.0, -2.0, -4.0]) * rng.normal()
    return linear(np.clip(tone, 15, 252))


def skin_material(rng: np.random.Generator) -> Material:
    """How a random skin looks close up."""
    return Material(
        wrap=rng.uniform(0.02, 0.2),
        specular=rng.uniform(0.0, 0.16) * rng.random(),
        shininess=rng.uniform(6, 30),
        grain_per_m=rng.uniform(350, 900),
        grain=rng.uniform(0.0, 0.13),
        blotch_per_m=rng.uniform(30, 120),
        blotch=rng.uniform(0.02, 0.18),
        translucency=rng.uniform(0.08, 0.35),
        solid=1.0,
        crease=rng.uniform(0.1, 0.75),
        redness=rng.uniform(-0.05, 0.4),
        nail=rng.uniform(0.1, 1.0),
        palm=rng.uniform(0.0, 0.35),
        bump=rng.uniform(0.0, 0.3),
    )


def colour(rng: np.random.Generator) -> Array:
    """(3,) linear RGB of any painted or woven thing; greys, blacks and whites come often."""
    value = rng.uniform(10, 245)
    saturation = rng.random() ** 2 if rng.random() < 0.8 else 1.0
    tint = 1 - saturation * rng.random(3)
    return linear(np.clip(value * tint / tint.max(), 4, 250))


def cloth_material(rng: np.random.Generator) -> Material:
    """A sleeve's cloth: dull, grained, sometimes striped."""
    striped = rng.random() < 0.25
    return Material(
        wrap=rng.uniform(0.0, 0.15),
        specular=0.0,
        grain_per_m=rng.uniform(300, 1500),
        grain=rng.uniform(0.02, 0.25),
        blotch_per_m=rng.uniform(20, 60),
        blotch=rng.uniform(0.0, 0.15),
        stripes_per_m=rng.uniform(15, 120) if striped else 0.0,
        stripe=rng.uniform(-0.7, 0.5),
        bump=rng.uniform(0.0, 0.5),
    )


def thing_material(rng: np.random.Generator) -> Material:
    """A held or passing object: from dull wood to shiny plastic."""
    striped = rng.random() < 0.25
    return Material(
        wrap=0.02,
        specular=rng.uniform(0.0, 0.6) * rng.random(),
        shininess=rng.uniform(8, 80),
        grain_per_m=rng.uniform(100, 900),
        grain=rng.uniform(0.0, 0.2),
        blotch_per_m=rng.uniform(15, 80),
        blotch=rng.uniform(0.0, 0.3),
        stripes_per_m=rng.uniform(10, 80) if striped else 0.0,
        stripe=rng.uniform(-0.8, 1.0),
    )


def lamp(rng: np.random.Generator) -> Light:
    """A key light from anywhere but behind the scene's back, a fill light, a sky.

    The camera's exposure is taken to be about right: key, fill and sky share one budget.
    """
    direction = rng.normal(size=3)
    direction[2] = -abs(direction[2]) if rng.random() < 0.8 else direction[2]
    direction[1] -= 0.7
    exposure = np.exp(rng.normal(0.0, 0.22))
    hard = rng.beta(1.6, 1.4)
    warm = rng.normal(0, 0.1)
    key = 1.25 * hard * exposure * np.array([1 + warm, 1.0, 1 - warm])
    cool = rng.normal(0, 0.08)
    sky = (0.95 - 0.72 * hard) * exposure * np.array([1 + cool, 1.0, 1 - cool])
    ground = sky * rng.uniform(0.35, 0.95) * (1 + rng.normal(0, 0.08, 3))
    fill = exposure * rng.uniform(0, 0.35) * (1 + rng.normal(0, 0.12, 3))
    return Light(
        direction, np.maximum(key, 0), rng.normal(size=3) - [0, 0, 0.5], np.maximum(fill, 0),
        np.array([0, -1.0, 0]) + rng.normal(0, 0.4, 3), np.maximum(sky, 0), np.maximum(ground, 0),
    )  # fmt: skip
