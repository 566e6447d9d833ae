"""Poses of the hand: uniform over the joint limits and around grasp synergies.

Poses in which fingers pass through one another or through the palm are drawn again, and damped
towards the relaxed hand where drawing does not help. The hand is tested as a row of spheres.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.errors import unknown_choice
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import FINGERS, FINGERTIPS
from rejshand_ros.hand.kinematics import (
    DOF_COUNT,
    DOF_NAMES,
    DOFS,
    HandParameters,
    joint_limits,
    pose_skeleton,
)
from rejshand_ros.hand.template import HandTemplate, load_template

SYNERGIES = (
    "relaxed",
    "flat",
    "spread",
    "fist",
    "claw",
    "hook",
    "cylinder",
    "sphere",
    "point",
    "thumb_up",
    "count",
    "pinch_index",
    "pinch_middle",
    "pinch_ring",
    "pinch_little",
    "tripod",
)
TOLERANCE_M = 0.005
"""Soft tissue gives way: spheres may overlap this much more than at rest."""
PINCH_GAP_M = 0.010
"""Distance of two pinching fingertip keypoints, which lie below the nails."""

_TRIES = 6
_SPHERES_PER_BONE = 4

_CURL = {"mcp": 1.25, "pip": 1.45, "dip": 0.75}
# CMC abduction, flexion, twist; MCP abduction, flexion; IP flexion.
_THUMB = {
    "rest": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "beside": (-0.45, 0.10, 0.0, 0.0, 0.05, 0.05),
    "up": (-0.35, -0.40, -0.10, 0.0, -0.15, -0.15),
    "across": (0.25, 0.50, 0.30, 0.0, 0.60, 0.60),
    "opposed": (0.30, 0.35, 0.35, 0.0, 0.25, 0.25),
}


def _pose(curl: dict[str, float], thumb: str, spread: float = 0.0) -> Array:
    """Angles (22,) from a curl 0..1 for each finger, a thumb pose and a spread."""
    angles = np.zeros(DOF_COUNT)
    angles[:6] = _THUMB[thumb]
    fan = {"index": 0.20, "middle": 0.03, "ring": -0.14, "little": -0.30}
    for number, dof in enumerate(DOFS):
        if dof.finger == 0:
            continue
        finger = FINGERS[dof.finger]
        if dof.kind == "flexion":
            angles[number] = curl.get(finger, 0.0) * _CURL[dof.name.split("_")[1]]
        else:
            angles[number] = spread * fan[finger]
    return angles


def _all(curl: float) -> dict[str, float]:
    return dict.fromkeys(FINGERS[1:], curl)


@cache
def _means() -> dict[str, Array]:
    means = {
        "relaxed": _pose({"index": 0.22, "middle": 0.28, "ring": 0.32, "little": 0.35}, "rest"),
        "flat": _pose(_all(-0.08), "beside"),
        "spread": _pose(_all(-0.10), "up", spread=1.0),
        "fist": _pose(_all(1.0), "across"),
        "cylinder": _pose(_all(0.55), "opposed"),
        "sphere": _pose(_all(0.42), "opposed", spread=0.8),
        "point": _pose({**_all(0.95), "index": 0.0}, "across"),
        "thumb_up": _pose(_all(1.0), "up"),
        "count": _pose(_all(0.0), "rest"),
    }
    claw, hook = _pose(_all(0.7), "rest", spread=0.3), _pose(_all(0.85), "beside")
    for number, name in enumerate(DOF_NAMES):
        if name.endswith("mcp_flexion") and number > 5:
            claw[number], hook[number] = -0.25, 0.10
    means["claw"], means["hook"] = claw, hook
    for finger in FINGERS[1:]:
        means[f"pinch_{finger}"] = _solve_pinch((finger,))
    means["tripod"] = _solve_pinch(("index", "middle"))
    return means


def _solve_pinch(fingers: tuple[str, ...]) -> Array:
    """Bring the thumb's tip to some fingers' tips by damped least squares."""
    template = load_template()
    start = _pose({**_all(0.30), **dict.fromkeys(fingers, 0.45)}, "opposed")
    active = [i for i, d in enumerate(DOFS) if d.finger == 0 or FINGERS[d.finger] in fingers]
    limits, step = joint_limits(), 1e-4
    tips = [FINGERTIPS[FINGERS.index(finger)] for finger in fingers]

    def residuals(angles: Array) -> Array:
        skeleton = pose_skeleton(template, HandParameters.of(angles))
        gap = skeleton.keypoints[:, tips] - skeleton.keypoints[:, [FINGERTIPS[0]]]
        distance = np.linalg.norm(gap, axis=-1, keepdims=True)
        reach = gap * (1 - PINCH_GAP_M / np.maximum(distance, PINCH_GAP_M)) / 0.002
        # Staying near the start keeps the joints in the middle of what is comfortable.
        stay = (angles - start)[:, active] / 1.5
        return np.concatenate([reach.reshape(len(angles), -1), stay], axis=1)

    angles, damping = start.copy(), 1e-2
    for _ in range(60):
        probes = np.repeat(angles[None], len(active) + 1, axis=0)
        probes[np.arange(len(active)), active] += step
        values = residuals(probes)
        jacobian = (values[:-1] - values[-1]).T / step
        normal = jacobian.T @ jacobian
        normal += damping * np.diag(np.diag(normal))
        trial = angles.copy()
        trial[active] -= np.linalg.solve(normal, jacobian.T @ values[-1])
        trial = np.clip(trial, limits[:, 0], limits[:, 1])
        better = np.sum(residuals(trial[None]) ** 2) < np.sum(values[-1] ** 2)
        angles, damping = (trial, 0.3 * damping) if better else (angles, 5.0 * damping)
    return angles


def synergy(name: str) -> Array:
    """Mean angles (22,) of a synergy, radians.

    Raises:
        ConfigError: No such synergy.
    """
    if name not in SYNERGIES:
        raise unknown_choice("synergy", name, SYNERGIES)
    return _means()[name].copy()


def _spheres(template: HandTemplate, angles: Array) -> tuple[Array, Array, Array]:
    """Centres (n, s, 3), radii (s,) and owners (s,) of the spheres; owner -1 is the palm."""
    keypoints = pose_skeleton(template, HandParameters.of(angles)).keypoints
    radii = template.keypoint_radii
    centres, sizes, owners = [], [], []
    steps = (np.arange(_SPHERES_PER_BONE) + 0.5) / _SPHERES_PER_BONE
    for number in range(5):
        first = 1 + 4 * number
        for parent in range(first, first + 3):
            if parent == 1:
                continue
            # The tip keypoint lies on the surface: its sphere must end there.
            shorten = 1.0
            if parent == first + 2:
                bone = template.rest_keypoints[parent + 1] - template.rest_keypoints[parent]
                shorten = 1.0 - radii[parent + 1] / float(np.linalg.norm(bone))
            for t in steps:
                at = t * shorten
                centres.append((1 - at) * keypoints[:, parent] + at * keypoints[:, parent + 1])
                sizes.append((1 - t) * radii[parent] + t * radii[parent + 1])
                owners.append(number)
    for knuckle in (5, 9, 13, 17):
        for t in (0.3, 0.5, 0.7, 0.9):
            centres.append(t * keypoints[:, knuckle])
            sizes.append(0.0125)
            owners.append(-1)
    return np.stack(centres, axis=1), np.array(sizes), np.array(owners)


@cache
def _rest_overlap() -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    template = load_template()
    centres, radii, owners = _spheres(template, np.zeros((1, DOF_COUNT)))
    first, second = np.nonzero(np.triu(owners[:, None] != owners[None, :]))
    gap = np.linalg.norm(centres[0, first] - centres[0, second], axis=-1)
    overlap = np.maximum(radii[first] + radii[second] - gap, 0.0)
    return first, second, np.asarray(overlap)


def self_penetration(angles: Array) -> Array:
    """How deep (n,) the worst two parts of each hand lie in one another beyond rest, metres.

    Args:
        angles: (n, 22) radians.
    """
    angles = np.atleast_2d(np.asarray(angles, float))
    centres, radii, _ = _spheres(load_template(), angles)
    first, second, at_rest = _rest_overlap()
    gap = np.linalg.norm(centres[:, first] - centres[:, second], axis=-1)
    depth = radii[first] + radii[second] - gap - at_rest
    return np.asarray(np.maximum(depth.max(axis=1), 0.0))


def _draw(rng: np.random.Generator, n: int, uniform_share: float) -> Array:
    limits = joint_limits()
    uniform = rng.uniform(limits[:, 0], limits[:, 1], (n, DOF_COUNT))
    means = np.stack([_means()[name] for name in SYNERGIES])
    kind = rng.integers(len(SYNERGIES), size=n)
    mean = means[kind]
    # Counting: each finger is out or folded on its own.
    counting = kind == SYNERGIES.index("count")
    folded = rng.random((n, 5)) < 0.5
    fist = _means()["fist"]
    owner = np.array([dof.finger for dof in DOFS])
    mean = np.where(counting[:, None] & folded[:, owner], fist, mean)
    # On the way between two synergies half the time: hands are mostly in between.
    other = means[rng.integers(len(SYNERGIES), size=n)]
    share = np.where(rng.random(n) < 0.5, rng.random(n) * 0.5, 0.0)[:, None]
    posed = (1 - share) * mean + share * other
    posed = posed + rng.normal(size=(n, DOF_COUNT)) * rng.uniform(0.02, 0.20, (n, 1))
    chosen = np.where((rng.random(n) < uniform_share)[:, None], uniform, posed)
    return np.asarray(np.clip(chosen, limits[:, 0], limits[:, 1]))


def sample_poses(
    rng: np.random.Generator,
    n: int,
    *,
    uniform_share: float = 0.4,
    tolerance_m: float = TOLERANCE_M,
) -> Array:
    """Angles (n, 22) of plausible hands, inside the limits and free of gross self-penetration.

    Args:
        rng: Source of chance; the same state gives the same poses.
        n: How many.
        uniform_share: Share drawn evenly over the whole joint limits, 0..1; the rest lies around
            the synergies.
        tolerance_m: Depth of contact beyond that at rest that is let through.
    """
    angles = _draw(rng, n, uniform_share)
    bad = np.flatnonzero(self_penetration(angles) > tolerance_m) if n else np.zeros(0, int)
    for _ in range(_TRIES):
        if not len(bad):
            return angles
        angles[bad] = _draw(rng, len(bad), uniform_share)
        bad = bad[self_penetration(angles[bad]) > tolerance_m]
    relaxed = synergy("relaxed")
    while len(bad):
        angles[bad] = relaxed + 0.8 * (angles[bad] - relaxed)
        bad = bad[self_penetration(angles[bad]) > tolerance_m]
    return angles
