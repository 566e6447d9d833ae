"""The paper's Fig. 1: accuracy against frames a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_MARKERS = "osD^vP*X"


def draw_figure(
    points: Sequence[tuple[str, str, float, float | None]], constant_mm: float, path: Path
) -> None:
    """Draw networks on their runtimes.

    Networks without trained weights have a place along the rate only, in a strip of their own
    below; the dashed line is what a constant hand scores.

    Args:
        points: Network, runtime, frames a second, PA-MPJPE in millimetres or None.
        constant_mm: PA-MPJPE of the best constant hand, millimetres.
        path: PNG to write.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    networks = list(dict.fromkeys(network for network, *_ in points))
    runtimes = list(dict.fromkeys(runtime for _, runtime, *_ in points))
    colours = [plt.get_cmap("tab10")(i) for i in range(10)]
    figure, (above, below) = plt.subplots(
        2, 1, sharex=True, figsize=(9, 6.5), height_ratios=(2, 1.1), layout="constrained"
    )
    for network, runtime, rate, error in points:
        axes = below if error is None else above
        height = networks.index(network) if error is None else error
        axes.scatter(
            rate, height, s=70, marker=_MARKERS[runtimes.index(runtime) % len(_MARKERS)],
            color=colours[networks.index(network) % len(colours)], edgecolor="black", linewidth=0.6,
        )  # fmt: skip
    for network in networks:
        own = [(rate, error) for name, _, rate, error in points if name == network]
        rate, error = max(own)
        if error is not None:
            # Leftwards from its fastest runtime: the fastest of all may stand at the very edge.
            above.annotate(
                network, (rate, error), (8, 9), textcoords="offset points", ha="right", fontsize=9
            )
    untrained = [n for n in networks if any(e is None for name, _, _, e in points if name == n)]
    below.set_yticks([networks.index(n) for n in untrained], untrained, fontsize=8)
    below.set_title("no trained weights: rate only", fontsize=9, loc="left")
    above.axhline(constant_mm, linestyle="--", color="grey")
    above.annotate(
        "a constant hand", (0.99, constant_mm), (0, 3), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", fontsize=9, color="grey",
    )  # fmt: skip
    above.set_ylabel("PA-MPJPE, mm (rendered hands)")
    above.set_ylim(0, 1.25 * constant_mm)
    below.set_xlabel("frames a second, one crop at a time")
    below.set_xscale("log")
    for axes in (above, below):
        axes.grid(alpha=0.3, which="both")
        axes.axvline(30, color="tab:red", linewidth=0.8)
    above.annotate(
        "30 frames/s", (30, 0.02), (3, 0), xycoords=("data", "axes fraction"),
        textcoords="offset points", fontsize=8, color="tab:red",
    )  # fmt: skip
    for number, runtime in enumerate(runtimes):
        above.scatter([], [], marker=_MARKERS[number % len(_MARKERS)], color="grey", label=runtime)
    above.legend(fontsize=8, loc="upper left")
    figure.savefig(path, dpi=110)
    plt.close(figure)
