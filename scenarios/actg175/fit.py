"""Fit the world of ``actg175.yaml`` to the 2,139 patients of ``patients.csv``.

``python scenarios/actg175/fit.py`` writes ``actg175.yaml`` (from ``actg175.yaml.template``) and ``real.json``
(what the real trial showed); ``--check`` refits and fails when either differs from what the fit gives. Needs
the ``dev`` extra.

* Progression: piecewise exponential, by maximum likelihood as a Poisson regression on person-time split at
  the cut-points (Holford, Biometrics 1980;36:299), conditional on baseline covariates.
* CD4 count at week 20: analysis of covariance on the baseline count and antiretroviral history.
* Loss to follow-up: censorings in the first two years per person-time. An assumption: the table has no reason
  of censoring.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import proportional_hazard_test

HERE = Path(__file__).resolve().parent
DAYS_PER_MONTH = 30.4375
ARMS = ["zdv", "zdv_ddi", "zdv_zal", "ddi"]  # codes 0 to 3 of the column `arms`
BASELINE_CUTS = [0, 6, 12, 18, 24, 30]  # months; from 30 on as long as the data go
EFFECT_CUTS = [
    0,
    12,
    24,
]  # months; a cut at 6 as well gains nothing (likelihood ratio 5.9 on 3 degrees, p = 0.11)
COVARIATES = {
    "age": "age",
    "cd4": "cd40",
    "karnofsky": "karnof",
    "symptomatic": "symptom",
    "experienced": "str2",
}
CENTRE = {"age": 35.0, "cd4": 350.0, "karnofsky": 95.0}
CD4_COVARIATES = ["cd4", "experienced"]
CHECK_MONTHS = [6, 12, 24, 30]
LOSS_WINDOW_DAYS = (
    2 * 365.25
)  # nobody's planned follow-up ended earlier: the counts of censorings rise after 28 months


def load(folder: Path = HERE) -> pd.DataFrame:
    """Return one row per patient: arm, follow-up in days, event, CD4 at week 20, centred covariates."""
    table = pd.read_csv(folder / "patients.csv", index_col=0)
    patients = pd.DataFrame({"arm": [ARMS[code] for code in table["arms"]]}, index=table.index)
    patients["days"] = table["days"].astype(float)
    patients["event"] = table["cens"].astype(float)  # 1 = event, 0 = censored, in spite of its name
    patients["cd4_week20"] = table["cd420"].astype(float)
    for trait, column in COVARIATES.items():
        patients[trait] = table[column].astype(float) - CENTRE.get(trait, 0.0)
    return patients


def piece(cuts: list[int], month: float) -> int:
    """Return the start of the piece that holds ``month``."""
    return max(cut for cut in cuts if cut <= month)


def split_person_time(patients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient and interval: person-days, event, and the regression's columns."""
    cuts = sorted(set(BASELINE_CUTS) | set(EFFECT_CUTS))
    rows = []
    for start, end in zip(cuts, [*cuts[1:], np.inf], strict=True):
        lower, upper = start * DAYS_PER_MONTH, end * DAYS_PER_MONTH
        at_risk = patients[patients["days"] > lower]
        row = pd.DataFrame({"person_days": at_risk["days"].clip(upper=upper) - lower})
        row["event"] = at_risk["event"] * (at_risk["days"] <= upper)
        for cut in BASELINE_CUTS:
            row[f"baseline_{cut}"] = float(cut == piece(BASELINE_CUTS, start))
        for arm in ARMS[1:]:
            for cut in EFFECT_CUTS:
                row[f"{arm}_{cut}"] = (at_risk["arm"] == arm) * float(cut == piece(EFFECT_CUTS, start))
        rows.append(pd.concat([row, at_risk[list(COVARIATES)]], axis=1))
    return pd.concat(rows)


def fit_progression(patients: pd.DataFrame) -> dict[str, float]:
    """Return log hazards per day of the centred zidovudine patient, and log hazard ratios."""
    split = split_person_time(patients)
    events, person_days = split.pop("event"), split.pop("person_days")
    model = sm.GLM(events, split, family=sm.families.Poisson(), offset=np.log(person_days))
    return dict(model.fit(tol=1e-12, maxiter=100).params)


def fit_cd4(patients: pd.DataFrame) -> dict[str, float]:
    """Return the linear model of the CD4 count at week 20: mean, arm differences, slopes and residual sd."""
    design = patients[CD4_COVARIATES].copy()
    design.insert(0, "mean", 1.0)
    for arm in ARMS[1:]:
        design[arm] = (patients["arm"] == arm).astype(float)
    model = sm.OLS(patients["cd4_week20"], design).fit()
    return {**dict(model.params), "sd": float(np.sqrt(model.scale))}


def fit_loss(patients: pd.DataFrame) -> float:
    """Return the hazard of loss to follow-up per day, all arms together."""
    lost = (patients["event"] == 0) & (patients["days"] <= LOSS_WINDOW_DAYS)
    return float(lost.sum() / patients["days"].clip(upper=LOSS_WINDOW_DAYS).sum())


def fit_proportional(patients: pd.DataFrame) -> dict[str, float]:
    """Return the constant hazard ratios of a Cox model with the same covariates."""
    data = patients[["days", "event", *COVARIATES]].copy()
    for arm in ARMS[1:]:
        data[arm] = (patients["arm"] == arm).astype(float)
    fitted = CoxPHFitter().fit(data, "days", "event")
    return {arm: float(np.exp(fitted.params_[arm])) for arm in ARMS[1:]}


def implied_survival(patients: pd.DataFrame, progression: dict[str, float], arm: str, months: float) -> float:
    """Return the fitted survival at ``months`` on ``arm``, averaged over all rows as resampling does."""
    cuts = sorted(set(BASELINE_CUTS) | set(EFFECT_CUTS))
    cumulative = 0.0
    for start, end in zip(cuts, [*cuts[1:], np.inf], strict=True):
        log_hazard = progression[f"baseline_{piece(BASELINE_CUTS, start)}"]
        log_hazard += 0.0 if arm == ARMS[0] else progression[f"{arm}_{piece(EFFECT_CUTS, start)}"]
        cumulative += max(0.0, min(end, months) - start) * DAYS_PER_MONTH * np.exp(log_hazard)
    linear = sum(progression[trait] * patients[trait] for trait in COVARIATES)
    return float(np.exp(-cumulative * np.exp(linear)).mean())


def implied_cd4(patients: pd.DataFrame, cd4: dict[str, float], arm: str) -> float:
    """Return the fitted mean CD4 count at week 20 on ``arm``, averaged over all rows."""
    linear = sum(cd4[trait] * patients[trait].mean() for trait in CD4_COVARIATES)
    return float(cd4["mean"] + cd4.get(arm, 0.0) + linear)


def pair(patients: pd.DataFrame, arm: str, start: float = 0.0, end: float = np.inf) -> pd.DataFrame:
    """Return ``arm`` and control between two days of follow-up, ready for a Cox model of the arm alone."""
    rows = patients[patients["arm"].isin([ARMS[0], arm]) & (patients["days"] > start)]
    data = pd.DataFrame({"treated": (rows["arm"] == arm).astype(float)})
    data["days"] = rows["days"].clip(upper=end) - start
    data["event"] = rows["event"] * (rows["days"] <= end)
    return data


def real_results(patients: pd.DataFrame) -> dict[str, Any]:
    """Return what the real trial showed, the targets of re-enactments. Nothing here comes from the fit."""
    arms: dict[str, Any] = {}
    for arm in ARMS:
        rows = patients[patients["arm"] == arm]
        curve = KaplanMeierFitter().fit(rows["days"], rows["event"])
        band = curve.confidence_interval_survival_function_  # 95%, log(-log) scale
        points = []
        for months in CHECK_MONTHS:
            day = months * DAYS_PER_MONTH
            table = curve.event_table[(curve.event_table.index <= day) & (curve.event_table["observed"] > 0)]
            at_risk, deaths = table["at_risk"].to_numpy(), table["observed"].to_numpy()
            survival = float(curve.predict(day))
            greenwood = survival * float(np.sqrt((deaths / (at_risk * (at_risk - deaths))).sum()))
            lower, upper = band[band.index <= day].iloc[-1]
            points.append(
                {
                    "months": months,
                    "survival": round(survival, 6),
                    "se": round(greenwood, 6),
                    "lower": round(float(lower), 6),
                    "upper": round(float(upper), 6),
                    "at_risk": int((rows["days"] >= day).sum()),
                }
            )
        count = rows["cd4_week20"]
        arms[arm] = {
            "patients": len(rows),
            "events": int(rows["event"].sum()),
            "kaplan_meier": points,
            "cd4_week20": {
                "mean": round(float(count.mean()), 3),
                "se": round(float(count.sem()), 4),
                "sd": round(float(count.std()), 3),
            },
        }
    cox: dict[str, Any] = {}
    for arm in ARMS[1:]:
        data = pair(patients, arm)
        fitted = CoxPHFitter().fit(data, "days", "event")
        interval = np.exp(fitted.confidence_intervals_.iloc[0])
        years = [(0.0, 365.25), (365.25, 730.5), (730.5, np.inf)]
        by_year = [
            CoxPHFitter().fit(pair(patients, arm, *year), "days", "event").params_.iloc[0] for year in years
        ]
        test = proportional_hazard_test(fitted, data, time_transform="rank")
        cox[arm] = {
            "hazard_ratio": round(float(np.exp(fitted.params_.iloc[0])), 5),
            "lower": round(float(interval.iloc[0]), 5),
            "upper": round(float(interval.iloc[1]), 5),
            "proportional_hazards_p": round(float(np.asarray(test.p_value).item()), 5),
            "hazard_ratio_by_year": [round(float(np.exp(value)), 4) for value in by_year],
        }
    return {
        "source": "patients.csv; written by fit.py",
        "definitions": {
            "kaplan_meier": "Greenwood's s.e., 95% band on the log(-log) scale, months of 30.4375 days",
            "cox_against_zdv": "unadjusted, an arm with zdv alone; p by Schoenfeld residuals on ranked times",
        },
        "arms": arms,
        "cox_against_zdv": cox,
    }


def agreement(patients: pd.DataFrame, real: dict[str, Any]) -> list[str]:
    """Return a line per point: real, implied, difference in half-widths of the band (or in s.e.)."""
    progression, cd4 = fit_progression(patients), fit_cd4(patients)
    lines = []
    for arm in ARMS:
        for point in real["arms"][arm]["kaplan_meier"]:
            implied = implied_survival(patients, progression, arm, point["months"])
            difference = implied - point["survival"]
            side = (
                point["upper"] - point["survival"] if difference > 0 else point["survival"] - point["lower"]
            )
            lines.append(
                f"{arm:8s} survival at {point['months']:2d} months  real {point['survival']:.4f}"
                f"  implied {implied:.4f}  {difference / side:+.2f} of the band"
            )
        target = real["arms"][arm]["cd4_week20"]
        implied = implied_cd4(patients, cd4, arm)
        lines.append(
            f"{arm:8s} CD4 at week 20         real {target['mean']:.1f}"
            f"   implied {implied:.1f}   {(implied - target['mean']) / target['se']:+.2f} s.e."
        )
    return lines


def parameters(patients: pd.DataFrame) -> dict[str, str]:
    """Return the placeholders of the template, to five significant digits."""
    progression, cd4, proportional = fit_progression(patients), fit_cd4(patients), fit_proportional(patients)
    values = {
        f"hazard_{cut}": np.exp(progression[f"baseline_{cut}"]) * DAYS_PER_MONTH for cut in BASELINE_CUTS
    }
    values |= {f"{arm}_{cut}": np.exp(progression[f"{arm}_{cut}"]) for arm in ARMS[1:] for cut in EFFECT_CUTS}
    values |= {f"log_{trait}": progression[trait] for trait in COVARIATES}
    values |= {f"cd4_{name}": value for name, value in cd4.items()}
    values |= {f"proportional_{arm}": value for arm, value in proportional.items()}
    values["loss_per_year"] = fit_loss(patients) * 365.25
    return {name: f"{value:#.5g}".removesuffix(".") for name, value in values.items()}


def rendered(patients: pd.DataFrame, folder: Path = HERE) -> dict[str, str]:
    """Return the text of the files this script owns."""
    template = Template((folder / "actg175.yaml.template").read_text(encoding="utf-8"))
    real = json.dumps(real_results(patients), indent=1)
    # A point of the curves to a line.
    real = re.sub(r"\{\s+(\"months\"[^}]*?)\s+\}", lambda found: "{" + " ".join(found[1].split()) + "}", real)
    return {"actg175.yaml": template.substitute(parameters(patients)), "real.json": real + "\n"}


def differs(old: str, new: str, tolerance: float = 2e-4) -> bool:
    """Say whether two texts differ by more than the last digit of a number."""
    number = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e-?\d+)?")
    if number.sub("#", old) != number.sub("#", new):
        return True
    pairs = zip(number.findall(old), number.findall(new), strict=True)
    return any(abs(float(a) - float(b)) > tolerance * abs(float(b)) for a, b in pairs)


def main(arguments: list[str] | None = None) -> int:
    """Write the fitted scenario and the real results, or check those that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file differs from the fit"
    )
    options = parser.parse_args(arguments)
    patients = load()
    files = rendered(patients)
    if options.check:
        stale = [
            name
            for name, text in files.items()
            if not (HERE / name).exists() or differs((HERE / name).read_text(encoding="utf-8"), text)
        ]
        print(
            f"differs from the fit: {', '.join(stale)}"
            if stale
            else "actg175.yaml and real.json are what the fit gives"
        )
        return 1 if stale else 0
    for name, text in files.items():
        (HERE / name).write_text(text, encoding="utf-8")
    print("\n".join(agreement(patients, real_results(patients))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
