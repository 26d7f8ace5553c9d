"""Draw re-enactments of ACTG 175 beside the real trial; used by ``reenact.py --picture``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TITLES = {
    "zdv": "zidovudine",
    "zdv_ddi": "zidovudine + didanosine",
    "zdv_zal": "zidovudine + zalcitabine",
    "ddi": "didanosine",
}
SIMULATED, REAL, MUTED = "#0072B2", "#000000", "#59636E"


def draw(found: Any, months: tuple[float, ...], real: dict[str, Any], listed: list[Any], path: Path) -> None:
    """Write the picture: survival by arm with the central 95% of re-enactments, and the CD4 means.

    Parameters
    ----------
    found
        A ``Reenactment`` at the months of the curves.
    months, real
        Months, and the real curve of each arm there.
    listed
        The figures of ``real.json`` beside their re-enactments.
    path
        ``.png`` or ``.svg``.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "svg.hashsalt": "trialsim"}):
        picture = Figure(figsize=(11.5, 6.4), layout="constrained")
        grid = picture.add_gridspec(2, 3, width_ratios=[1, 1, 0.95])
        first = None
        for a, arm in enumerate(found.arms):
            axes = picture.add_subplot(grid[a // 2, a % 2], sharex=first, sharey=first)
            first = first or axes
            _curve(axes, found, a, (months, real[arm]), [one for one in listed if one.arm == arm])
            axes.set_title(TITLES.get(arm, arm), loc="left", fontsize=10.5)
            if a // 2 == 1:
                axes.set_xlabel("months since randomisation")
            else:
                axes.tick_params(labelbottom=False)
            if a % 2 == 0:
                axes.set_ylabel("free of progression")
            else:
                axes.tick_params(labelleft=False)
        _means(picture.add_subplot(grid[:, 2]), found.arms, listed)
        handles, labels = picture.axes[0].get_legend_handles_labels()
        picture.axes[0].legend(handles, labels, loc="lower left", frameon=False, fontsize=9)
        picture.suptitle(
            f"ACTG 175 and {len(found.survival):,} re-enactments of it", x=0.01, ha="left", fontsize=12.5
        )
        picture.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _curve(axes: Any, found: Any, arm: int, real: tuple[Any, Any], listed: list[Any]) -> None:
    """Draw one arm: band and mean of re-enactments, the real curve, and the months that are checked."""
    low, high = np.percentile(found.survival[:, arm], (2.5, 97.5), axis=0)
    months = found.months
    axes.fill_between(
        months, low, high, color=SIMULATED, alpha=0.25, lw=0, label="re-enactments: central 95%"
    )
    axes.plot(months, found.survival[:, arm].mean(axis=0), color=SIMULATED, lw=1.2, label="their mean")
    axes.step(*real, where="post", color=REAL, lw=1.3, label="real trial (Kaplan-Meier)")
    checked = [(float(one.name.split()[2]), one.real) for one in listed if one.name.startswith("survival")]
    axes.plot(*zip(*checked, strict=True), "o", color=REAL, ms=4.5, label="checked: 6, 12, 24, 30 months")
    axes.set_xlim(0, 31)
    axes.set_ylim(0.55, 1.005)
    axes.set_xticks([0, 6, 12, 18, 24, 30])
    axes.grid(axis="y", color="#E4E8EC", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _means(axes: Any, arms: tuple[str, ...], listed: list[Any]) -> None:
    """Draw the mean CD4 counts at week 20: ranges of re-enactments and real values."""
    for place, arm in enumerate(arms):
        one = next(one for one in listed if one.arm == arm and one.name.startswith("CD4"))
        y = len(arms) - 1 - place
        axes.plot([one.low, one.high], [y, y], color=SIMULATED, alpha=0.35, lw=9, solid_capstyle="butt")
        axes.plot(one.mean, y, "|", color=SIMULATED, ms=13, mew=1.6)
        axes.plot(one.real, y, "o", color=REAL, ms=5)
        axes.annotate(
            TITLES.get(arm, arm), (one.mean, y), (0, 12), textcoords="offset points", ha="center", fontsize=9
        )
    axes.set_ylim(-0.6, len(arms) - 0.3)
    axes.set_yticks([])
    axes.margins(x=0.17)
    axes.set_xlabel("mean CD4 count at week 20 (cells/mm³)")
    axes.set_title("CD4 count at week 20", loc="left", fontsize=10.5)
    axes.grid(axis="x", color="#E4E8EC", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
