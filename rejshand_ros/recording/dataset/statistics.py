"""Statistics of features, as learners use them to normalise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.geometry import Array

_QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
Statistics = dict[str, Any]


def describe(values: ArrayLike) -> Statistics:
    """Minimum, maximum, mean, standard deviation, count and quantiles of (n, d) values."""
    rows = np.asarray(values, float)
    rows = rows.reshape(len(rows), -1)
    described: Statistics = {
        "min": rows.min(0).tolist(),
        "max": rows.max(0).tolist(),
        "mean": rows.mean(0).tolist(),
        "std": rows.std(0).tolist(),
        "count": [len(rows)],
    }
    for name, quantile in _QUANTILES.items():
        described[name] = np.quantile(rows, quantile, axis=0).tolist()
    return described


def describe_images(pixels: Array) -> Statistics:
    """The same of RGB pixels (n, 3) in 0..1, shaped (3, 1, 1) as images are."""
    described = describe(pixels)
    return {
        key: value if key == "count" else np.reshape(value, (3, 1, 1)).tolist()
        for key, value in described.items()
    }


def merge(parts: list[Statistics]) -> Statistics:
    """Statistics of several sets together.

    Means and deviations are exact; quantiles are averaged by count, as is usual.
    """
    counts = np.array([part["count"][0] for part in parts], float)
    weights = counts / counts.sum()
    means = np.array([part["mean"] for part in parts])
    deviations = np.array([part["std"] for part in parts])
    shape = (-1, *([1] * (means.ndim - 1)))
    mean = (weights.reshape(shape) * means).sum(0)
    variance = (weights.reshape(shape) * (deviations**2 + (means - mean) ** 2)).sum(0)
    merged: Statistics = {
        "min": np.min([part["min"] for part in parts], axis=0).tolist(),
        "max": np.max([part["max"] for part in parts], axis=0).tolist(),
        "mean": mean.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(counts.sum())],
    }
    for name in _QUANTILES:
        stacked = np.array([part[name] for part in parts])
        merged[name] = (weights.reshape(shape) * stacked).sum(0).tolist()
    return merged
