"""Live plots of the browser view: what each stage adds to the delay, and how often it works."""

from __future__ import annotations

from typing import Any

from rejshand_ros.viewing.colours import Rgb, css
from rejshand_ros.viewing.history import STAGES, History

STAGE_RGB: dict[str, Rgb] = dict(
    zip(STAGES, ((110, 168, 254), (104, 206, 124), (240, 200, 80), (240, 128, 108)), strict=True)
)
_LABELS = {stage: stage.replace("_", " ") for stage in STAGES}
_GRID = "rgba(130,140,160,.18)"
_INK = "#8b8f98"


class Plots:
    """Two plots in the page's present container."""

    def __init__(self, gui: Any, history: History) -> None:
        """Draw them empty.

        Args:
            gui: viser's gui.
            history: Where the samples come from.
        """
        self._history = history
        gui.add_html(_title("Delay since the capture, by stage [ms]"))
        self._delays = gui.add_uplot(
            data=self._stacked(),
            series=(
                {},
                # The outermost first: each next one is painted over it.
                *(
                    {
                        "label": _LABELS[stage],
                        "stroke": css(STAGE_RGB[stage]),
                        "fill": css(STAGE_RGB[stage]) + "66",
                        "width": 1.5,
                        "points": {"show": False},
                    }
                    for stage in reversed(STAGES)
                ),
            ),
            scales={"x": {"time": False, "range": (-60, 0)}, "y": {"range": (0, None)}},
            axes=_axes(),
            height=150,
            legend={"show": True, "live": False},
            cursor={"show": False},
        )
        gui.add_html(_title("Messages a second"))
        self._rates = gui.add_uplot(
            data=history.rates(),
            series=(
                {},
                *(
                    {
                        "label": _LABELS[stage],
                        "stroke": css(STAGE_RGB[stage]),
                        "width": 1.5,
                        "points": {"show": False},
                    }
                    for stage in STAGES
                ),
            ),
            scales={"x": {"time": False, "range": (-60, 0)}, "y": {"range": (0, None)}},
            axes=_axes(),
            height=110,
            legend={"show": False},
            cursor={"show": False},
        )

    def update(self) -> None:
        """Show the history as it is now."""
        self._delays.data = self._stacked()
        self._rates.data = self._history.rates()

    def _stacked(self) -> tuple[Any, ...]:
        ago_s, *ends = self._history.delays()
        return (ago_s, *reversed(ends))


def _title(text: str) -> str:
    style = "margin:6px 12px 0;font-size:12px;color:var(--mantine-color-dimmed)"
    return f'<div style="{style}">{text}</div>'


def _axes() -> tuple[Any, Any]:
    look = {"stroke": _INK, "grid": {"stroke": _GRID, "width": 1}, "ticks": {"show": False}}
    return {**look, "size": 24}, {**look, "size": 38}
