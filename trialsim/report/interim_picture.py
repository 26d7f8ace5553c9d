"""The picture of an interim analysis: the way of the statistic between its bounds, over the information seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.interim.result import InterimAnalysis
from trialsim.report.boundaries_picture import draw_bound
from trialsim.report.figures import LINES
from trialsim.report.picture import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_interim(found: InterimAnalysis, kind: str) -> bytes:
    """Return the picture of a look.

    Parameters
    ----------
    found
        The analysis.
    kind
        ``svg`` or ``png``.
    """
    return picture(kind, (8.0, 5.0), lambda figure: _draw(figure.subplots(), found))


def _draw(axes: Axes, found: InterimAnalysis) -> None:
    bounds, asked = found.bounds, found.design.plan.request
    rates = bounds.information_rates
    draw_bound(axes, rates, bounds.efficacy_z, 0, "efficacy bound")
    if asked.sides == 2:
        draw_bound(axes, rates, -bounds.efficacy_z, 0, None)
    if asked.futility is not None:
        draw_bound(axes, rates, bounds.futility_z, 1, "futility bound")
        if asked.sides == 2:
            draw_bound(axes, rates, -bounds.futility_z, 1, None)
    seen: NDArray[np.float64] = np.array([*(look.z for look in found.design.looks), found.z])
    axes.plot(
        np.append(0.0, rates[: len(seen)]), np.append(0.0, seen), color="black", marker="D", markersize=5,
        linestyle=LINES[0], linewidth=1.2, label="z seen", zorder=4,
    )  # fmt: skip
    axes.annotate(
        f"{found.z:.3f}",
        (rates[len(seen) - 1], found.z),
        xytext=(7, -10),
        textcoords="offset points",
        fontsize=9,
    )
    axes.axvline(rates[len(seen) - 1], color="#999999", linewidth=0.8, linestyle=LINES[1], zorder=0)
    axes.axhline(0.0, color="#BBBBBB", linewidth=0.8, zorder=0)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"information rate ({found.design.unit} over {found.design.maximum:.6g})")
    axes.set_ylabel("z, positive in favour")
    axes.legend(frameon=False, fontsize=9)
