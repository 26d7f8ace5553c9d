"""The rows of the validation page: each a quantity, who gives it, their figures, ours, and how far they may differ."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from scipy.special import ndtri

from tests.reference import test_combination as combination
from tests.reference import test_group_sequential as gs
from tests.reference import test_sample_size as sizes
from tests.reference import test_sequential_sample_size as sequential
from tests.reference import test_weighted_logrank as weighted
from tests.validation.inference_rows import inference_rows
from tests.validation.row import Row, row_of
from trialsim.designs import group_sequential
from trialsim.designs.reestimation_design import SampleSizeReestimation
from trialsim.designs.reestimation_power import two_stage_power
from trialsim.scenario.load import load_scenario
from trialsim.stats.combination.fisher import fisher_design
from trialsim.stats.sample_size import means, proportions
from trialsim.stats.sample_size.answer_means import means_size_answer
from trialsim.stats.sample_size.answer_proportions import proportions_size_answer
from trialsim.stats.sample_size.means import MeansDesign
from trialsim.stats.sample_size.piecewise_events import expected_course
from trialsim.stats.sample_size.proportions import ProportionsDesign
from trialsim.stats.sample_size.survival import LogrankDesign, required_events, solve_patients

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "sample_size_reestimation"
JT = "Jennison and Turnbull (2000)"


def _bounds() -> Iterator[Row]:
    """Yield the bounds of rpact and gsDesign."""
    section = "Group sequential bounds on the z scale"
    for design in sorted(gs.ROWS.design_id.unique()):
        rows = gs.ROWS[gs.ROWS.design_id == design]
        first, found = rows.iloc[0], gs.of_rows(rows)
        parameter = "" if first.type in gs.WITHOUT_PARAMETER else f" ({float(first.param):g})"
        what = f"{design}: {gs.FAMILIES[first.type]}{parameter}, {len(rows)} looks"
        source = f"{first.package} {first.get('version', '')}".strip()
        close = 1e-6 if first.package == "rpact" else 1e-4
        yield row_of(section, f"{what}, efficacy", source, rows.eff_z, found.efficacy_z, close)
        if first.futility != "none":
            quantity = f"{what}, {first.futility} futility"
            yield row_of(section, quantity, source, rows.fut_z, found.futility_z, close)
        yield row_of(
            section,
            f"{what}, inflation factor",
            source,
            first.inflation_factor,
            found.inflation_factor,
            close,
        )


def _characteristics() -> Iterator[Row]:
    """Yield power, stopping and expected information at multiples of the effect."""
    section = "Group sequential designs at 0, 0.5 and 1 times the effect"
    table = gs.CHARACTERISTICS
    for (_, multiple), rows in table.groupby(["oc_id", "effect_multiple"]):
        first = rows.iloc[0]
        found = group_sequential(
            rows.info_rate.tolist(),
            alpha=float(first.alpha),
            power=float(first.design_power),
            futility_binding=bool(first.futility == "binding"),
            **gs.DESIGNS[first.design],
        )
        at = found.at(float(multiple))
        what = f"{first.oc_id}: {first.design}, {multiple:g} x effect"
        yield row_of(
            section, f"{what}, rejection by stage", "rpact", rows.reject_stage, at.stage_reject, 1e-7
        )
        yield row_of(
            section, f"{what}, expected information over fixed", "rpact", first.expected_info_over_fixed,
            at.expected_rate * found.maximum_information / found.fixed_information, 1e-6,
        )  # fmt: skip


def _printed() -> Iterator[Row]:
    """Yield tables of books, which are printed to three digits."""
    section = "Printed tables"
    for family, table, number in (("pocock", gs.POCOCK, "2.1"), ("obrien_fleming", gs.OBRIEN_FLEMING, "2.3")):
        for looks, printed in table.items():
            ours = [
                group_sequential(gs.equal_looks(looks), alpha=level, sides=2, efficacy=family).efficacy_z[-1]
                for level in gs.LEVELS
            ]
            what = f"{family}, {looks} looks, constants at two-sided 0.01, 0.05, 0.1"
            yield row_of(
                section, what, f"{JT}, table {number} (see the note above)", printed, ours, gs.ROUNDED
            )
    for (family, power), by_looks in gs.INFLATION.items():
        number = "2.2" if family == "pocock" else "2.4"
        for looks, printed in by_looks.items():
            ours = [
                group_sequential(
                    gs.equal_looks(looks), alpha=level, sides=2, power=power, efficacy=family
                ).inflation_factor
                for level in gs.LEVELS
            ]
            what = f"{family}, {looks} looks, inflation at power {power:g}, 0.01, 0.05, 0.1"
            yield row_of(
                section, what, f"{JT}, table {number} (see the note above)", printed, ours, gs.ROUNDED
            )
    for family, lists in gs.LAN_DEMETS.items():
        for printed in lists:
            ours = group_sequential(gs.equal_looks(len(printed)), alpha=0.025, efficacy=family).efficacy_z
            what = f"{family}, {len(printed)} looks, one-sided 0.025"
            yield row_of(section, what, "Lan and DeMets (1983) spending", printed, ours, gs.ROUNDED)
    effects = (1.6, 1.7, 1.8, 1.9, 2.0)
    design = [MeansDesign(effect, 7.5, test="z") for effect in effects]
    ours = [means.means_power(each, 442 / 2, 442 / 2) for each in design]
    yield row_of(
        section, "power of n = 442, sd 7.5, effects 1.6 to 2.0", "Mehta and Pocock (2011)",
        (0.611, 0.664, 0.713, 0.759, 0.800), ours, 0.0015,
    )  # fmt: skip
    for alpha, printed in combination.BAUER_KOEHNE.items():
        critical = fisher_design(alpha, 2, 0.5, "full_last_level").critical
        what = f"product of two p values, alpha {alpha:g}, given up above alpha0 = 0.5: alpha1 and c"
        yield row_of(section, what, "Bauer and Köhne (1994)", printed, critical, 5e-5)
    ratios = (0.5, 0.6, 0.7, 0.75, 0.8, 1.5)
    events = [required_events(LogrankDesign(hazard_ratio=ratio), 0.9) for ratio in ratios]
    formula = [4 * (ndtri(0.975) + ndtri(0.9)) ** 2 / math.log(ratio) ** 2 for ratio in ratios]
    yield row_of(
        section, "events for power 0.9 at 0.025, hazard ratios 0.5, 0.6, 0.7, 0.75, 0.8, 1.5",
        "Schoenfeld (1981), his formula", formula, events, 1e-12, True,
    )  # fmt: skip


def _sizes() -> Iterator[Row]:
    """Yield sample sizes, fixed and group sequential."""
    section = "Sample sizes"
    for row, (design, power, tolerance) in sizes.MEANS.items():
        ours = means.means_sample_size(design, power)
        yield row_of(
            section, f"{row}: means, n", "rpact", sizes.figure(row, "n_total"), ours, tolerance, True
        )
    for row, (proportion, power) in sizes.PROPORTIONS.items():
        ours = proportions.proportions_sample_size(proportion, power)
        theirs = sizes.figure(row, "n_total")
        yield row_of(section, f"{row}: proportions, n", "rpact, gsDesign", theirs, ours, sizes.EXACT, True)
    for row, (logrank, plan, follow_up) in sizes.PATIENTS.items():
        solved = solve_patients(logrank, plan, follow_up, 0.9)
        ours_both = (solved.patients, expected_course(solved, 12.0 + follow_up).events)
        theirs_both = (sizes.figure(row, "n_total"), sizes.figure(row, "events"))
        what = f"{row}: survival ({logrank.method}), n and events"
        yield row_of(section, what, "rpact, gsDesign", theirs_both, ours_both, sizes.EXACT, True)
    answer = means_size_answer(
        MeansDesign(0.4, 1.0), 0.9, sequential.bounds("0.5,0.75,1", "hwang_shih_decani", "-2"), unrounded=True
    )
    yield row_of(
        section, "C08: means, 3 looks with futility, n by look", "rpact",
        sequential.listed("C08", "subjects_by_look"), sequential.column(answer, "n"), 3e-7, True,
    )  # fmt: skip
    for row, scale, null in (("C15", "difference", 0.0), ("C16", "ratio", 1.0)):
        proportion = ProportionsDesign(0.5, 0.3, null=null, scale=scale)
        answer = proportions_size_answer(proportion, 0.9, bounds=sequential.bounds(), unrounded=True)
        yield row_of(
            section, f"{row}: proportions ({scale}), 3 looks, n by look", "rpact",
            sequential.listed(row, "subjects_by_look"), sequential.column(answer, "n"), sequential.RPACT, True,
        )  # fmt: skip


def _weighted() -> Iterator[Row]:
    """Yield the power of weighted log-rank tests under non-proportional hazards."""
    section = "Power of weighted log-rank tests, n = 400"
    for row in weighted.of("lrstat", "analytic"):
        if row["test"] != "FH" or (row["scenario"] == "PH" and row["rho1"] == row["rho2"] == "0"):
            continue
        what = f"{row['scenario']}, FH({row['rho1']},{row['rho2']})"
        ours = weighted.power(row)
        yield row_of(section, what, "lrstat, analytic", float(row["power"]), ours, 1e-11, True)
    for row in weighted.SIMULATED:
        what = f"{weighted.name(row)}, against simulation"
        allowed = weighted.OF_THE_APPROXIMATION + 5 * float(row["mc_se"])
        source = f"{row['package']}, simulated"
        yield row_of(section, what, source, float(row["power"]), weighted.power(row), allowed)


def _reestimated() -> Iterator[Row]:
    """Yield what a promising zone does, beside the plain calculation of the shipped scenario."""
    section = "Sample size re-estimation: Mehta and Pocock's promising zone, 442 to 884 patients"
    theirs = _independent(FOLDER)
    scenario = load_scenario(FOLDER / "sample_size_reestimation.yaml")
    resizing = SampleSizeReestimation().resizing(scenario, "promising_zone")
    for effect in (0.0, 1.6, 1.7, 1.8, 1.9, 2.0):
        given = theirs.characteristics(effect)
        ours = two_stage_power(resizing, (math.inf, -float(ndtri(0.025))), -math.inf, effect, 7.5, 4.0)
        source = "quadrature over the interim statistic (independent.py)"
        what = f"effect {effect:g}, power and chance to be raised"
        yield row_of(
            section, what, source, (given["power"], given["promising"]), (ours.power, ours.raised), 1e-5
        )
        yield row_of(section, f"effect {effect:g}, mean size", source, given["size"], ours.size, 0.01)


def _events_reestimated() -> Iterator[Row]:
    """Yield what re-estimated events do, beside the plain calculation of the shipped scenario."""
    section = "Re-estimated events: log-rank tests at 124 and 248 events, up to 372, in large samples"
    folder = FOLDER.parent / "event_reestimation"
    theirs = _independent(folder)
    scenario = load_scenario(folder / "event_reestimation.yaml")
    source = "quadrature over the interim statistic (independent.py)"
    for design, plan in (("promising_zone", theirs.PROMISING), ("assumed", theirs.ASSUMED)):
        resizing = SampleSizeReestimation().resizing(scenario, design)
        for ratio in (1.0, 0.8, 0.76, 0.7, 0.6):
            given = theirs.characteristics(plan, ratio)
            bounds = (math.inf, -float(ndtri(0.025)))
            ours = two_stage_power(resizing, bounds, -math.inf, -math.log(ratio), 1.0, 4.0)
            what = f"{design}, hazard ratio {ratio:g}, power and chance to be raised"
            yield row_of(
                section, what, source, (given["power"], given["raised"]), (ours.power, ours.raised), 1e-5
            )
            yield row_of(
                section,
                f"{design}, hazard ratio {ratio:g}, mean events",
                source,
                given["events"],
                ours.size,
                0.01,
            )


def _independent(folder: Path) -> ModuleType:
    """Return the script beside a scenario, which shares no code with the package."""
    path = folder / "independent.py"
    spec = importlib.util.spec_from_file_location(f"independent_{folder.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows() -> list[Row]:
    """Return every row of the page."""
    parts = (_bounds, _characteristics, _printed, _sizes, _weighted, _reestimated, _events_reestimated)
    return [*(row for part in parts for row in part()), *inference_rows()]


def _numbers(values: Sequence[float]) -> str:
    """Return figures as text."""
    return ", ".join("none" if math.isinf(value) else f"{value:.7g}" for value in values)


def page() -> str:
    """Return the page as Markdown."""
    found = rows()
    outside = sum(not row.agrees for row in found)
    lines = [
        "# Validation",
        "",
        "Figures of others beside ours, made by `make validation` from what the tests compare; `make test` computes every",
        f"row anew and fails when one is outside its tolerance. {len(found)} rows, {outside} outside.",
        "",
        "Where the figures come from, with versions and calls: `tests/reference/README.md`. Simulated operating",
        "characteristics of the shipped scenarios are compared with theirs in `expected.yaml` beside each scenario.",
        "",
        "Figures of books and papers were not copied from their pages. The tables of Jennison and Turnbull (2000) are",
        "as two public packages quote them, as far as these go, and from memory beyond (`tests/reference/README.md`",
        "says which). A remembered figure that agrees with an independent calculation to its last printed digit is weak",
        "evidence for both, so that what carries the bounds are the rows of rpact and gsDesign.",
        "",
        "Of Mehta and Pocock (2011) the page holds this. Theirs, quoted at second hand: the power of the fixed design",
        "of 442 patients. Theirs, but from memory and without the paper at hand: the interim at 208, the maximum 884",
        "and the zone of 0.365 to 0.8. Their equation for the zone in which the ordinary test keeps its level gives",
        "0.360 as the lower end with these numbers, not 0.365; 0.365 is what is simulated. Ours: every power and mean",
        "size of the promising-zone design, which `independent.py` beside the scenario finds by a quadrature that",
        "shares no code with the package. No printed figure of the adaptive design is compared.",
    ]
    section = ""
    for row in found:
        if row.section != section:
            section = row.section
            lines += [
                "",
                f"## {section}",
                "",
                "| quantity | source | theirs | ours | difference | allowed |",
                "|---|---|---|---|---|---|",
            ]
        unit = " relative" if row.relative else ""
        mark = "" if row.agrees else " **outside**"
        lines.append(
            f"| {row.quantity} | {row.source} | {_numbers(row.theirs)} | {_numbers(row.ours)} | "
            f"{row.difference:.1e}{mark} | {row.tolerance:.3g}{unit} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).resolve().parents[2] / "docs" / "validation.md").write_text(page(), encoding="utf-8")
