"""A bounded Levenberg-Marquardt solver, compiled.

Each iteration drops the variables that rest on a bound and are pushed against it (active set),
solves the damped Newton system of the others by Cholesky's factorisation, and clips the step to
the box. The damping falls after a step that lowers the function as foreseen and rises after one
that does not, or where the Hessian is not positive definite; so the function never rises.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.geometry import Array
from rejshand_ros.retargeting.kinematics import Indices
from rejshand_ros.retargeting.terms import Function, Scratch, evaluate

CONVERGED, CAPPED, STUCK = 0, 1, 2
_LEAST_DAMPING, _MOST_DAMPING = 1e-9, 1e9


@njit(cache=True)
def solve(
    function: Function,
    scratch: Scratch,
    lower: Array,
    upper: Array,
    x: Array,
    damping: float,
    most_iterations: int,
    gradient_tolerance: float,
    value_tolerance: float,
) -> tuple[int, int, float, float]:
    """Minimise a function within lower <= x <= upper.

    Args:
        function: What is minimised.
        scratch: Memory for its evaluations.
        lower: (v,) bounds.
        upper: (v,) bounds.
        x: (v,) the start, replaced by the solution.
        damping: To start with.
        most_iterations: Cap.
        gradient_tolerance: Largest entry of the projected gradient at a solution.
        value_tolerance: A step that lowers the value by less ends the search.

    Returns:
        CONVERGED, CAPPED or STUCK (no step lowers the value), the iterations, the value, and the
        last damping, to go on with.
    """
    size = x.shape[0]
    gradient, hessian = np.empty(size), np.empty((size, size))
    new_gradient, new_hessian = np.empty(size), np.empty((size, size))
    trial, step = np.empty(size), np.empty(size)
    factor = np.empty((size, size))
    free = np.empty(size, np.int64)
    for i in range(size):
        x[i] = min(max(x[i], lower[i]), upper[i])
    value = evaluate(function, scratch, x, gradient, hessian)
    if not np.isfinite(value):
        return STUCK, 0, value, damping
    for iteration in range(most_iterations):
        count = 0
        slope = 0.0
        for i in range(size):
            step[i] = 0.0
            held = (x[i] <= lower[i] and gradient[i] > 0.0) or (
                x[i] >= upper[i] and gradient[i] < 0.0
            )
            if not held:
                free[count] = i
                count += 1
                slope = max(slope, abs(gradient[i]))
        if slope <= gradient_tolerance:
            return CONVERGED, iteration, value, damping
        accepted = False
        gain = 0.0
        while damping < _MOST_DAMPING:
            if not _newton_step(hessian, gradient, free, count, damping, factor, step):
                damping = max(10.0 * damping, 1e-4)
                continue
            inside = _leave_out(x, lower, upper, step, free, count)
            if inside < count:
                # The coupled step pushes variables out over a bound they rest on: without them
                # it is another step, and clipping it instead need not go downhill.
                count = inside
                continue
            foreseen = 0.0
            decrement = 0.0
            for i in range(size):
                decrement -= 0.5 * gradient[i] * step[i]
            for i in range(size):
                trial[i] = min(max(x[i] + step[i], lower[i]), upper[i])
            for i in range(size):
                move = trial[i] - x[i]
                foreseen -= gradient[i] * move
                for j in range(size):
                    foreseen -= 0.5 * move * hessian[i, j] * (trial[j] - x[j])
            new_value = evaluate(function, scratch, trial, new_gradient, new_hessian)
            gain = value - new_value
            if gain > 1e-4 * foreseen and gain > 0.0:
                accepted = True
                if gain > 0.75 * foreseen:
                    damping = max(0.1 * damping, _LEAST_DAMPING)
                elif gain < 0.25 * foreseen:
                    damping *= 4.0
                break
            rounding = abs(gain) <= 1e-14 * (1.0 + abs(value))
            if rounding or (damping < 0.1 and decrement <= 0.1 * value_tolerance):
                # Even a nearly undamped step, before it is clipped, has nothing left to gain.
                return CONVERGED, iteration + 1, value, damping
            damping = max(8.0 * damping, 1e-4)
        if not accepted:
            damping = 1e-3
            return STUCK, iteration + 1, value, damping
        for i in range(size):
            x[i] = trial[i]
        value = new_value
        gradient, new_gradient = new_gradient, gradient
        hessian, new_hessian = new_hessian, hessian
        if gain < value_tolerance:
            return CONVERGED, iteration + 1, value, damping
    return CAPPED, most_iterations, value, damping


@njit(cache=True)
def _leave_out(x: Array, lower: Array, upper: Array, step: Array, free: Indices, count: int) -> int:
    """Drop free variables that rest on a bound and step over it; returns how many are left."""
    left = 0
    for k in range(count):
        i = free[k]
        if (x[i] <= lower[i] and step[i] < 0.0) or (x[i] >= upper[i] and step[i] > 0.0):
            step[i] = 0.0
        else:
            free[left] = i
            left += 1
    return left


@njit(cache=True)
def _newton_step(
    hessian: Array,
    gradient: Array,
    free: Indices,
    count: int,
    damping: float,
    factor: Array,
    step: Array,
) -> bool:
    """Fill step (v,) for the free variables; False where the matrix is not positive definite."""
    for a in range(count):
        i = free[a]
        for b in range(a + 1):
            j = free[b]
            total = hessian[i, j]
            if a == b:
                # Marquardt's scaling, with a floor for directions that nothing asks for.
                total += damping * (abs(total) + 1e-3)
            for k in range(b):
                total -= factor[a, k] * factor[b, k]
            if a == b:
                if total <= 1e-12:
                    return False
                factor[a, a] = np.sqrt(total)
            else:
                factor[a, b] = total / factor[b, b]
    for a in range(count):
        total = -gradient[free[a]]
        for k in range(a):
            total -= factor[a, k] * step[free[k]]
        step[free[a]] = total / factor[a, a]
    for a in range(count - 1, -1, -1):
        total = step[free[a]]
        for k in range(a + 1, count):
            total -= factor[k, a] * step[free[k]]
        step[free[a]] = total / factor[a, a]
    return True
