"""Single sites: how many patients each has over the trials, as a picture, a table, and a file that holds them all."""

from __future__ import annotations

import csv
import io

from trialsim.oc.columns import Records
from trialsim.oc.montecarlo import MonteCarlo
from trialsim.oc.site_enrolment import SiteEnrolment, site_enrolment
from trialsim.report.figures import Picture, as_picture, colour_of, house_figure, house_legend, readable
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain
from trialsim.report.tables import TextTable

MOST_SITES, MOST_DESIGNS = 40, 3
_SITES_A_PANEL = 20
_CSV = (
    "design", "truth", "site", "trials", "opened", "without_patients", "opened_months", "opened_months_mcse", "candidates",
    "candidates_mcse", "randomised", "randomised_mcse", "p10", "median", "p90",
)  # fmt: skip

ABOUT_SITES = (
    "Patients of each single site by the end of a trial: the mean over all trials with its 10th and 90th percentile. Where "
    "sites of a group draw their rates and openings alike, they differ here by the luck of the run alone."
)


def shown_sites(sites: tuple[SiteEnrolment, ...]) -> tuple[SiteEnrolment, ...]:
    """Return the sites that are shown: those with the most patients, in the order of the scenario."""
    most = sorted(range(len(sites)), key=lambda s: (-sites[s].randomised.value, s))[:MOST_SITES]
    return tuple(sites[s] for s in sorted(most))


def site_picture(records: Records) -> Picture | None:
    """Return patients by site under the first truth: mean, and 10th to 90th percentile, by design.

    Parameters
    ----------
    records
        Of a run; None comes back for one without sites, or with a single one.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    cells = records.cells()
    if not cells or not records.columns("sites"):
        return None
    truth = cells[0].truth
    found = {cell.design: site_enrolment(records, cell) for cell in cells if cell.truth == truth}
    found = dict(list(found.items())[:MOST_DESIGNS])
    names = [site.site for site in shown_sites(next(iter(found.values())))]
    if len(names) < 2:
        return None
    panels = [names[first : first + _SITES_A_PANEL] for first in range(0, len(names), _SITES_A_PANEL)]
    words = []
    with house_figure(8.0, 0.9 + max(0.22, 0.11 * (1 + len(found))) * len(panels[0])) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False, sharex=True)[0]
        for axes, here in zip(grid, panels, strict=True):
            for which, (design, sites) in enumerate(found.items()):
                for site in sites:
                    if site.site not in here:
                        continue
                    height = here.index(site.site) + (which - (len(found) - 1) / 2) * 0.7 / len(found)
                    colour = colour_of(which)
                    axes.plot(
                        [site.p10.value, site.p90.value], [height] * 2, color=colour, alpha=0.45, linewidth=3,
                        solid_capstyle="butt",
                    )  # fmt: skip
                    axes.plot(site.randomised.value, height, "o", color=colour, markersize=4)
                    words.append(f"{design} at {site.site} {_number(site.randomised)}, {_range(site)}")
            axes.set_yticks(range(len(here)), [readable(name) for name in here], fontsize=8)
            axes.set_ylim(len(panels[0]) - 0.5, -0.5)
            axes.tick_params(axis="y", length=0)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
            axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
            axes.set_axisbelow(True)
        grid[0].set_xlim(left=0)
        figure.supxlabel("patients randomised at the site: mean, 10th to 90th percentile", fontsize=10)
        house_legend(
            figure,
            [
                Line2D(
                    [],
                    [],
                    color=colour_of(which),
                    marker="o",
                    markersize=4,
                    linewidth=3,
                    label=readable(design),
                )
                for which, design in enumerate(found)
            ],
        )
        title = f"Patients by site under {truth}"
        return as_picture(title, figure, f"{title}. " + "; ".join(words) + ".")


def site_table(records: Records) -> TextTable | None:
    """Return a row for each site of the first design under the first truth; None where there are no sites.

    Parameters
    ----------
    records
        Of a run.
    """
    cells = records.cells()
    sites = shown_sites(site_enrolment(records, cells[0])) if cells else ()
    if not sites:
        return None
    rows = tuple(
        (
            (site.site,),
            ("never" if site.opened_days is None else _number(site.opened_days, DAYS_PER_MONTH),),
            (_number(site.candidates),),
            (_number(site.randomised),),
            (_range(site),),
            (plain(100.0 * site.without_patients / site.randomised.n, 0) + "%",),
        )
        for site in sites
    )
    headings = (
        "site", "opens, month", "candidates", "patients", "10th to 90th percentile", "trials in which it opened for nobody",
    )  # fmt: skip
    return TextTable(f"by site: {cells[0].design} under {cells[0].truth}", headings, rows)


def sites_left_out(records: Records) -> list[str]:
    """Return what is left out of picture and table because there is too much of it, and where it is."""
    cells = records.cells()
    number = len(site_enrolment(records, cells[0])) if cells else 0
    designs = len({cell.design for cell in cells})
    found = []
    if number > MOST_SITES:
        found.append(f"Shown are the {MOST_SITES} of {number} sites with the most patients.")
    if number and designs > MOST_DESIGNS:
        found.append(f"Sites are drawn for the first {MOST_DESIGNS} of {designs} designs.")
    if number:
        found.append("All sites of every design and truth: `trialsim report RUN --sites FILE.csv`.")
    return found


def sites_csv(records: Records) -> str | None:
    """Return every site of every design and truth as the text of a CSV file; None where there are no sites.

    Parameters
    ----------
    records
        Of a run.
    """
    if not records.columns("sites"):
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for cell in records.cells():
        for site in site_enrolment(records, cell):
            opens = site.opened_days
            writer.writerow(
                [
                    *cell,
                    site.site,
                    site.randomised.n,
                    site.opened,
                    site.without_patients,
                    "" if opens is None else opens.value / DAYS_PER_MONTH,
                    "" if opens is None or opens.mcse is None else opens.mcse / DAYS_PER_MONTH,
                    site.candidates.value,
                    _error(site.candidates),
                    site.randomised.value,
                    _error(site.randomised),
                    site.p10.value,
                    site.median.value,
                    site.p90.value,
                ]
            )
    return text.getvalue()


def _error(value: MonteCarlo) -> float | str:
    return "" if value.mcse is None else value.mcse


def _range(site: SiteEnrolment) -> str:
    return f"{plain(site.p10.value, 0)} to {plain(site.p90.value, 0)}"


def _number(value: MonteCarlo, per: float = 1.0) -> str:
    """Return a mean with its Monte Carlo error in parentheses."""
    if not value.mcse:
        return f"{plain(value.value / per, 1)}{' (one replicate)' if value.n == 1 else ' (0)'}"
    decimals = decimals_for(value.mcse / per)
    return f"{plain(value.value / per, decimals)} ({plain(value.mcse / per, decimals)})"
