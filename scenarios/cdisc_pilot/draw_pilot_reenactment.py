"""Draw re-enactments of the CDISC pilot study beside the real trial; used by ``reenact.py --picture``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from reenactments import survival_at

HERE = Path(__file__).resolve().parent
TITLES = {"placebo": "placebo", "low": "xanomeline, low dose", "high": "xanomeline, high dose"}
SIMULATED, REAL = "#0072B2", "#000000"


def draw(found: Any, listed: list[Any], path: Path) -> None:
    """Write the picture: enrolment, staying on treatment by arm, adverse events, ADAS-Cog.

    Parameters
    ----------
    found
        A ``Reenactment``.
    listed
        The figures of ``real.json`` beside their re-enactments.
    path
        ``.png`` or ``.svg``.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "svg.hashsalt": "trialsim"}):
        picture = Figure(figsize=(12.5, 7.6), layout="constrained")
        grid = picture.add_gridspec(2, 3)
        _enrolment(picture.add_subplot(grid[0, 0]), found)
        first = None
        for place, arm in zip((grid[0, 1], grid[0, 2], grid[1, 0]), found.arms, strict=True):
            axes = picture.add_subplot(place, sharex=first, sharey=first)
            first = first or axes
            _curve(axes, found, found.arms.index(arm), arm)
        events = [one for one in listed if one.name.endswith("adverse events")]
        _ranges(picture.add_subplot(grid[1, 1]), events, "adverse events by severity", "events of an arm")
        changes = [one for one in listed if one.name.startswith("change")]
        _ranges(picture.add_subplot(grid[1, 2]), changes, "change of ADAS-Cog (11)", "mean, points")
        handles, labels = first.get_legend_handles_labels()
        first.legend(handles, labels, loc="lower left", frameon=False, fontsize=9)
        count = len(found.screened)
        picture.suptitle(
            f"The CDISC pilot study and {count:,} re-enactments of it", x=0.01, ha="left", fontsize=12.5
        )
        picture.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)


def _tidy(axes: Any, along: str) -> None:
    """Take away what the eye does not need."""
    axes.grid(axis=along, color="#E4E8EC", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _band(axes: Any, x: Any, simulated: Any) -> None:
    """Draw the central 95% and the mean of re-enactments."""
    low, high = np.percentile(simulated, (2.5, 97.5), axis=0)
    axes.fill_between(x, low, high, color=SIMULATED, alpha=0.25, lw=0, label="re-enactments: central 95%")
    axes.plot(x, simulated.mean(axis=0), color=SIMULATED, lw=1.2, label="their mean")


def _enrolment(axes: Any, found: Any) -> None:
    """Draw cumulative numbers screened and randomised."""
    real = json.loads((HERE / "real.json").read_text(encoding="utf-8"))["enrolment"]["by_day"]
    for kind, simulated in (("screened", found.screened), ("randomised", found.randomised)):
        _band(axes, found.days, simulated)
        values = [point[kind] for point in real]
        axes.plot(found.days, values, color=REAL, lw=1.3)
        axes.annotate(
            kind, (found.days[-1], values[-1]), (-2, 5), textcoords="offset points", ha="right", fontsize=9
        )
    axes.set_xlabel("study day")
    axes.set_ylabel("candidates and patients")
    axes.set_title("enrolment", loc="left", fontsize=10.5)
    axes.set_ylim(0, 350)
    _tidy(axes, "y")


def _curve(axes: Any, found: Any, a: int, arm: str) -> None:
    """Draw the curve of staying on treatment of one arm."""
    weeks = np.arange(found.on_treatment.shape[2])
    _band(axes, weeks, found.on_treatment[:, a])
    patients = pd.read_csv(HERE / "patients.csv").merge(pd.read_csv(HERE / "disposition.csv"), on="patient")
    here = patients[patients["arm"] == arm]
    days = here["last_dose_day"].to_numpy() + 1
    stopped = (here["reason"] != "completed").to_numpy()
    daily = np.arange(0, 7 * weeks[-1] + 1)
    axes.step(
        daily / 7, survival_at(days, stopped, daily)[0], where="post", color=REAL, lw=1.3, label="real trial"
    )
    axes.set_xlabel("weeks since first dose")
    axes.set_ylabel("on treatment")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, 26)
    axes.set_xticks([0, 4, 8, 12, 16, 20, 24])
    axes.set_title(TITLES[arm], loc="left", fontsize=10.5)
    _tidy(axes, "y")


def _ranges(axes: Any, listed: list[Any], title: str, unit: str) -> None:
    """Draw ranges of re-enactments and real values, one line a figure."""
    for place, one in enumerate(listed):
        y = len(listed) - 1 - place
        axes.plot([one.low, one.high], [y, y], color=SIMULATED, alpha=0.35, lw=8, solid_capstyle="butt")
        axes.plot(one.mean, y, "|", color=SIMULATED, ms=11, mew=1.6)
        axes.plot(one.real, y, "o", color=REAL, ms=4.5)
    names = [f"{one.arm}, {one.name.removesuffix(' adverse events').split(' at ')[-1]}" for one in listed]
    axes.set_yticks(range(len(listed) - 1, -1, -1), names, fontsize=9)
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left", fontsize=10.5)
    axes.set_ylim(-0.6, len(listed) - 0.4)
    _tidy(axes, "x")
