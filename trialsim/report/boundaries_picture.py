"""The picture of a group sequential design: its bounds over information, and the errors they spend.

Made without any global state; its bytes depend on the design alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.boundaries import Boundaries
from trialsim.report.figures import LINES, MARKERS, PALETTE
from trialsim.report.picture import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_Z = 8.0  # bounds beyond it are drawn at the edge, as arrows


def draw_boundaries(found: Boundaries, kind: str) -> bytes:
    """Return the picture of a design.

    Parameters
    ----------
    found
        The design.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        bounds, errors = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_bounds(bounds, found)
        _draw_errors(errors, found)

    return picture(kind, (8.0, 7.0), draw)


def _draw_bounds(axes: Axes, found: Boundaries) -> None:
    rates = found.information_rates
    draw_bound(axes, rates, found.efficacy_z, 0, "efficacy: reject beyond")
    if found.request.sides == 2:
        draw_bound(axes, rates, -found.efficacy_z, 0, None)
    if found.request.futility is not None:
        kind = "binding" if found.request.futility_binding else "non-binding"
        if found.request.sides == 1:
            draw_bound(axes, rates, found.futility_z, 1, f"futility ({kind}): give up at or below")
        else:
            draw_bound(axes, rates, found.futility_z, 1, f"futility ({kind}): give up between")
            draw_bound(axes, rates, -found.futility_z, 1, None)
    mean = found.drift * np.sqrt(rates)
    axes.plot(rates, mean, color="#777777", linestyle=LINES[2], linewidth=1.2, label="mean under the effect")
    axes.axhline(0.0, color="#BBBBBB", linewidth=0.8, zorder=0)
    axes.set_ylabel("z")
    axes.legend(frameon=False, fontsize=9)


def draw_bound(
    axes: Axes, rates: NDArray[np.float64], z: NDArray[np.float64], place: int, label: str | None
) -> None:
    """Draw one bound; one without a label mirrors another, whose figures stand there already."""
    colour = PALETTE[place]
    near = np.abs(z) <= _MOST_Z
    axes.plot(
        rates[near],
        z[near],
        color=colour,
        marker=MARKERS[place],
        linestyle=LINES[place],
        label=label,
        clip_on=False,
    )
    if label is None:
        return
    for rate, bound in zip(rates[near], z[near]):
        axes.annotate(
            f"{bound:.3f}", (rate, bound), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    for rate, bound in zip(rates[~near], z[~near]):
        above = bound > 0.0
        shown = f"{bound:.1f}" if np.isfinite(bound) else "none"
        axes.annotate(
            f"{shown} {'↑' if above else '↓'}", (rate, float(above)), xycoords=("data", "axes fraction"),
            xytext=(4, -10 if above else 10), textcoords="offset points", ha="left", va="center", fontsize=8,
            color=colour,
        )  # fmt: skip


def _draw_errors(axes: Axes, found: Boundaries) -> None:
    rates = np.append(0.0, found.information_rates)
    axes.plot(
        rates, np.append(0.0, found.alpha_spent) / found.request.alpha, color=PALETTE[0], marker=MARKERS[0],
        linestyle=LINES[0], label=f"alpha, of {found.request.alpha:g}",
    )  # fmt: skip
    if found.request.futility is not None:
        beta = found.request.beta
        axes.plot(
            rates, np.append(0.0, found.beta_spent) / beta, color=PALETTE[1], marker=MARKERS[1], linestyle=LINES[1],
            label=f"beta, of {beta:.6g}",
        )  # fmt: skip
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(left=0.0)
    axes.set_xlabel("information rate")
    axes.set_ylabel("share of the error spent")
    axes.legend(frameon=False, fontsize=9)
