"""Runs the claims of claims.toml as simulated trials and writes docs/claims.md: python scenarios/claims/run.py [--quick].

Every experiment compares a baseline with what the claim is about in the same trials; gains are ratios of means with the
delta method's standard error, paired by replicate.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trialsim
from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import build_plan
from trialsim.engines.points import Point
from trialsim.learning.allocation_benchmark import exact_rules
from trialsim.scenario.load import patient_table

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "claims.md"
REPLICATES, QUICK = 4000, 200
LIMIT = 1.959964
SEED = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """A gain with its standard error, and what else the table shows."""

    gain: float
    error: float
    shown: str

    @property
    def limits(self) -> tuple[float, float]:
        """The 95% limits."""
        return self.gain - LIMIT * self.error, self.gain + LIMIT * self.error

    def verdict(self, least: float) -> str:
        """Return whether the experiment holds."""
        low, high = self.limits
        return "holds" if low >= least else "fails" if high < least else "open"


def ratio_gain(baseline: Floats, other: Floats, sign: float) -> tuple[float, float]:
    """Return ``sign * (mean(other) / mean(baseline) - 1)`` and its standard error, trials paired."""
    ratio = other.mean() / baseline.mean()
    left = other - ratio * baseline
    return sign * (ratio - 1.0), float(left.std(ddof=1) / np.sqrt(len(left)) / abs(baseline.mean()))


def trials_of(path: Path, designs: list[str], truths: list[str], n: int) -> Any:
    """Return the trials of a scenario by design and truth, in order of replicates."""
    found = trialsim.simulate(
        trialsim.load_scenario(path), designs=designs, truths=truths, replicates=n, seed=SEED, workers=2
    )
    frame = found.trials()
    return {
        (design, truth): frame[(frame["design"] == design) & (frame["truth"] == truth)].sort_values(
            "replicate"
        )
        for design in designs
        for truth in truths
    }, found


def recruitment_time(experiment: Mapping[str, Any], n: int) -> Found:
    """Return the reduction of the time to the last patient, by design or by truth."""
    path = HERE / experiment["world"]
    scenario = trialsim.load_scenario(path)
    pair = [experiment["baseline"], experiment["with"]]
    by_design = pair[0] in scenario.designs
    designs = pair if by_design else [next(iter(scenario.designs))]
    truths = pair if not by_design else [next(iter(scenario.truths))]
    trials, _ = trials_of(path, designs, truths, n)
    first, second = (each["enrolment_end_time"].to_numpy(dtype=float) for each in trials.values())
    gain, error = ratio_gain(first, second, -1.0)
    return Found(gain, error, f"{first.mean() / 30.4375:.2f} months, {second.mean() / 30.4375:.2f}")


def adaptive_power(experiment: Mapping[str, Any], n: int) -> Found:
    """Return the relative gain of power: exactly for two arms, simulated for four."""
    if "exact" in experiment:
        equal, other = exact_rules(("equal", experiment["exact"]))
        first, second = (float(each.calibrated_power or 0.0) for each in (equal, other))
        return Found(second / first - 1.0, 0.0, f"power {first:.3f}, {second:.3f} (exact)")
    pair = [experiment["baseline"], experiment["with"]]
    trials, found = trials_of(HERE / experiment["world"], pair, ["one_works", "none_works"], 5 * n)
    arms = found.records.arms.to_pandas()
    rejects = []
    for design in pair:
        z = {}
        for truth in ("one_works", "none_works"):
            here = trials[design, truth]
            values = here[["z:a", "z:b", "z:c"]].to_numpy(dtype=float)
            rows = arms[(arms["design"] == design) & (arms["truth"] == truth)].sort_values(
                "replicate", kind="stable"
            )
            dropped = rows["dropped_look"].to_numpy().reshape(len(here), 4)[:, 1:] > 0
            z[truth] = np.where(dropped | ~np.isfinite(values), -np.inf, values)
        # The bound holds the familywise error in the trials without an effect; its own error is small beside the gain.
        bound = np.sort(z["none_works"].max(axis=1))[int(np.ceil(0.975 * len(z["none_works"]))) - 1]
        rejects.append((z["one_works"][:, 1] > bound).astype(float))
    gain, error = ratio_gain(rejects[0], rejects[1], 1.0)
    return Found(gain, error, f"power {rejects[0].mean():.3f}, {rejects[1].mean():.3f}")


def enrichment_response(experiment: Mapping[str, Any], n: int) -> Found:
    """Return the relative gain of the difference in response; response on treatment and power are shown beside it."""
    scenario = trialsim.load_scenario(HERE / experiment["world"])
    truth, rates, power = next(iter(scenario.truths)), [], []
    for design in (experiment["baseline"], experiment["with"]):
        parts, rejected = [], []
        engine = FastEngine(build_plan(scenario, design, truth, SEED, 1, patient_table(scenario)))
        for first in range(0, n, 200):
            chunk = engine.start(np.arange(first, min(first + 200, n)))
            result = conduct(chunk)
            rows = np.arange(len(chunk.replicates))
            readouts, total = chunk.totals(Point("review", rows, np.zeros_like(rows), result.ends.cut))
            parts.append(total / np.maximum(readouts, 1))
            rejected.append(result.rejected[:, 0])
        rates.append(np.concatenate(parts))
        power.append(np.concatenate(rejected).mean())
    first, second = (each[:, 1] - each[:, 0] for each in rates)
    gain, error = ratio_gain(first, second, 1.0)
    response = ", ".join(f"{each[:, 1].mean():.3f}" for each in rates)
    return Found(
        gain, error, f"difference {first.mean():.3f}, {second.mean():.3f}; response on treatment {response}; "
        f"power {power[0]:.3f}, {power[1]:.3f}",
    )  # fmt: skip


def cost(experiment: Mapping[str, Any], n: int) -> Found:
    """Return the reduction of the expected cost for each correct decision, both truths equally likely."""
    pair = [experiment["baseline"], experiment["with"]]
    trials, _ = trials_of(HERE / experiment["world"], pair, ["works", "does_not"], n)
    per = []
    for design in pair:
        paid = np.mean(
            [trials[design, truth]["cost"].to_numpy(dtype=float) for truth in ("works", "does_not")], axis=0
        )
        rejected = [
            (trials[design, truth]["reject_look:primary"] > 0).to_numpy() for truth in ("works", "does_not")
        ]
        right = 0.5 * (rejected[0].astype(float) + (~rejected[1]).astype(float))
        per.append((paid, right))
    values = [paid.mean() / right.mean() for paid, right in per]
    ratio = values[1] / values[0]
    # Of a ratio of ratios by the delta method: the parts of a replicate's influence on it.
    left = (per[1][0] / per[1][0].mean() - per[1][1] / per[1][1].mean()) - (
        per[0][0] / per[0][0].mean() - per[0][1] / per[0][1].mean()
    )
    error = float(ratio * left.std(ddof=1) / np.sqrt(len(left)))
    correct = ", ".join(f"{right.mean():.3f}" for _, right in per)
    return Found(
        1.0 - ratio, error,
        f"{values[0] / 1e6:.2f}, {values[1] / 1e6:.2f} million EUR a correct decision; P(correct) {correct}",
    )  # fmt: skip


MEASURES = {
    "recruitment_time": recruitment_time,
    "adaptive_power": adaptive_power,
    "enrichment_response": enrichment_response,
    "cost": cost,
    "screening_time": recruitment_time,
}


def overall(verdicts: list[str]) -> str:
    """Return the verdict on a claim from those of its experiments."""
    if all(each == "holds" for each in verdicts):
        return "supported"
    return "not supported" if all(each == "fails" for each in verdicts) else "conditional"


def page(claims: Mapping[str, Any], n: int) -> str:
    """Run every experiment and return the page."""
    lines = [
        "# Claims about AI in trials, put to the test",
        "",
        "Headline claims as experiments: what is claimed, in which world it is tried, against which baseline, and what",
        "would falsify it, written down in `scenarios/claims/claims.toml` before these runs. Worlds and prices are made up",
        "and lie beside that file: a verdict is about these worlds. An experiment *holds* where the lower 95% limit of its",
        "gain is at or above the claim, *fails* where the upper limit is below it, and is *open* otherwise.",
        "",
        f"Written by `python scenarios/claims/run.py`: {n:,} trials of each design and truth, five times as many where",
        f"bounds are calibrated, seed {SEED}.",
        "",
    ]
    summary = ["| claim | verdict |", "|---|---|"]
    details: list[str] = []
    for name, claim in claims.items():
        rows, verdicts = [], []
        for experiment in claim["experiments"]:
            found = MEASURES[name](experiment, n)
            verdict = found.verdict(claim["least"])
            verdicts.append(verdict)
            low, high = found.limits
            limits = f"{100 * found.gain:.1f}%" + (
                "" if found.error == 0.0 else f" ({100 * low:.1f} to {100 * high:.1f})"
            )
            rows.append(f"| {experiment['says']} | {found.shown} | {limits} | {verdict} |")
            print(name, rows[-1], flush=True)
        verdict = overall(verdicts)
        summary.append(f"| {claim['claim']} | **{verdict}** |")
        details += [
            f"## {claim['claim']}",
            "",
            f"Source: {claim['source']}. Measure: {claim['measure']}, at least {100 * claim['least']:g}%. "
            f"Falsified in a world where {claim['falsified']}. Verdict: **{verdict}**.",
            "",
            "| world | baseline, then with it | gain (95% limits) | |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    return "\n".join([*lines, *summary, "", *details]).rstrip() + "\n"


def main() -> None:
    """Run and write the page; with ``--quick`` print only."""
    claims = tomllib.loads((HERE / "claims.toml").read_text(encoding="utf-8"))
    quick = "--quick" in sys.argv[1:]
    text = page(claims, QUICK if quick else REPLICATES)
    if quick:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
