"""What holds at a solution: errors of the fingertips, active bounds, the deepest overlap."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.capsules import segment_distance
from rejshand_ros.retargeting.kinematics import Indices, forward
from rejshand_ros.retargeting.solver import solve
from rejshand_ros.retargeting.terms import Function, new_scratch


class Findings(NamedTuple):
    """Memory that an inspection fills.

    Attributes:
        tip_terms: (f,) vector term that places each fingertip; given.
        tip_errors: (f,) distance of each fingertip from where it was asked, metres.
        active: (v,) whether a variable rests on a bound.
    """

    tip_terms: Indices
    tip_errors: Array
    active: NDArray[np.bool_]


def new_findings(tip_terms: Indices, variables: int) -> Findings:
    """Memory for inspections."""
    return Findings(tip_terms, np.zeros(len(tip_terms)), np.zeros(variables, np.bool_))


@njit(cache=True)
def inspect(
    function: Function, lower: Array, upper: Array, x: Array, findings: Findings
) -> tuple[float, int]:
    """Fill the findings at x (v,); returns the deepest overlap of capsules, metres, and its pair.

    The overlap is negative where all capsules are apart, and -inf where there are none.
    """
    tree, terms, capsules, _ = function
    scratch = new_scratch(tree)
    forward(tree, x, scratch.rotations, scratch.origins, scratch.axes, scratch.points)
    points = scratch.points
    for i in range(x.shape[0]):
        findings.active[i] = x[i] <= lower[i] or x[i] >= upper[i]
    for f in range(findings.tip_terms.shape[0]):
        k = findings.tip_terms[f]
        square = 0.0
        for i in range(3):
            error = points[terms.end[k], i] - points[terms.start[k], i] - terms.target[k, i]
            square += error * error
        findings.tip_errors[f] = np.sqrt(square)
    deepest, where = -np.inf, -1
    for k in range(capsules.pair.shape[0]):
        a, b = capsules.pair[k, 0], capsules.pair[k, 1]
        distance, _, _ = segment_distance(
            points[capsules.start[a]],
            points[capsules.end[a]],
            points[capsules.start[b]],
            points[capsules.end[b]],
        )
        overlap = capsules.radius[a] + capsules.radius[b] - distance
        if overlap > deepest:
            deepest, where = overlap, k
    return deepest, where


@njit(cache=True)
def solve_and_inspect(
    function: Function,
    lower: Array,
    upper: Array,
    x: Array,
    damping: float,
    most_iterations: int,
    gradient_tolerance: float,
    value_tolerance: float,
    findings: Findings,
) -> tuple[int, int, float, float, float, int]:
    """`solve`, and `inspect` of its solution, as one call: crossing from Python costs as much."""
    state, iterations, value, damping = solve(
        function,
        new_scratch(function.tree),
        lower,
        upper,
        x,
        damping,
        most_iterations,
        gradient_tolerance,
        value_tolerance,
    )
    overlap, pair = inspect(function, lower, upper, x, findings)
    return state, iterations, value, damping, overlap, pair
