"""ADAS-Cog (11) and a few laboratory values and vital signs over time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pilot_tables import ARMS, Floats, Row, randomised, read, row, share

WEEKS = [8, 16, 24]
LABS = {
    "alt": "U/L",
    "creatinine": "umol/L",
    "haemoglobin": "mmol/L",
    "pulse": "beats per minute",
    "systolic": "mmHg",
}


def fit_repeated(changes: Floats, design: Floats, rounds: int = 2000) -> tuple[Floats, Floats, Floats]:
    """Return coefficients, residual covariance and the covariance of the coefficients of a repeated measure.

    Parameters
    ----------
    changes
        ``[patient, week]``, NaN where missing.
    design
        Covariates, the same at every week, ``[patient, covariate]``; each week has its own coefficients.

    Returns
    -------
    tuple
        ``[covariate, week]``, ``[week, week]``, ``[covariate, week, covariate, week]``.

    Notes
    -----
    Maximum likelihood under normality and missing at random, by the EM algorithm (Dempster, Laird and Rubin, J R
    Stat Soc B 1977;39:1). The covariance of the coefficients is that of generalised least squares.
    """
    seen = ~np.isnan(changes)
    used = seen.any(axis=1)
    y, x, seen = np.where(seen, changes, 0.0)[used], design[used], seen[used]
    weeks, covariates = y.shape[1], x.shape[1]
    beta, sigma = np.zeros((covariates, weeks)), np.cov(y.T)
    patterns = [(pattern, (seen == pattern).all(axis=1)) for pattern in np.unique(seen, axis=0)]
    for _ in range(rounds):
        mean, filled, extra = x @ beta, y.copy(), np.zeros((weeks, weeks))
        for pattern, rows in patterns:
            out = ~pattern
            if not out.any():
                continue
            weight = sigma[np.ix_(out, pattern)] @ np.linalg.inv(sigma[np.ix_(pattern, pattern)])
            guess = (
                mean[np.ix_(rows, out)] + (y[np.ix_(rows, pattern)] - mean[np.ix_(rows, pattern)]) @ weight.T
            )
            filled[np.ix_(rows, out)] = guess
            left = sigma[np.ix_(out, out)] - weight @ sigma[np.ix_(pattern, out)]
            extra[np.ix_(out, out)] += rows.sum() * left
        new_beta = np.linalg.solve(x.T @ x, x.T @ filled)
        residual = filled - x @ new_beta
        new_sigma = (residual.T @ residual + extra) / len(y)
        moved = max(np.abs(new_beta - beta).max(), np.abs(new_sigma - sigma).max())
        beta, sigma = new_beta, new_sigma
        if moved < 1e-11:
            break
    else:
        raise ArithmeticError("the EM algorithm did not settle")
    information = np.zeros((covariates, weeks, covariates, weeks))
    for pattern, rows in patterns:
        inverse = np.zeros((weeks, weeks))
        inverse[np.ix_(pattern, pattern)] = np.linalg.inv(sigma[np.ix_(pattern, pattern)])
        information += np.einsum("ij,st->isjt", x[rows].T @ x[rows], inverse)
    size = covariates * weeks
    covariance = np.linalg.inv(information.reshape(size, size)).reshape(information.shape)
    return beta, sigma, covariance


def fit() -> dict[str, Row]:
    """Return the figures of ADAS-Cog and of laboratory values, by name."""
    patients = randomised()
    scores = read("adas").pivot(index="patient", columns="week", values="score").reindex(patients.index)
    return _baseline(patients, scores) | _changes(patients, scores) | _labs(patients)


def _baseline(patients: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Row]:
    """Return mean and standard deviation at baseline."""
    base, n = scores[0], len(scores)
    sd = float(base.std())
    return {
        "adas_cog.baseline.mean": row(
            base.mean(), sd / np.sqrt(n), n, "points", "mean at baseline, all arms"
        ),
        "adas_cog.baseline.sd": row(sd, sd / np.sqrt(2 * n), n, "points", "its standard deviation"),
        "adas_cog.baseline.mmse_correlation": row(
            (r := float(np.corrcoef(base, patients["mmse"])[0, 1])),
            (1 - r**2) / np.sqrt(n),
            n,
            "1",
            "correlation of ADAS-Cog and MMSE at baseline",
        ),
    }


def _changes(patients: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Row]:
    """Return the model of changes from baseline at three weeks."""
    centre = float(scores[0].mean())
    changes = scores[WEEKS].sub(scores[0], axis=0).to_numpy()
    design = np.column_stack([patients["arm"] == arm for arm in ARMS] + [scores[0] - centre]).astype(float)
    beta, sigma, covariance = fit_repeated(changes, design)
    spread, seen = np.sqrt(np.einsum("isis->is", covariance)), ~np.isnan(changes)
    found: dict[str, Row] = {}
    for t, week in enumerate(WEEKS):
        for a, arm in enumerate(ARMS):
            here = (patients["arm"] == arm).to_numpy()
            found[f"adas_cog.change.{arm}.{week}"] = row(
                beta[a, t],
                spread[a, t],
                int((seen[:, t] & here).sum()),
                "points",
                f"mean change from baseline at week {week}, {arm}, at the mean baseline score; repeated measures, ML",
            )
            found[f"adas_cog.observed.{arm}.{week}"] = share(
                int((seen[:, t] & here).sum()),
                int(here.sum()),
                f"randomised with a score at week {week}, {arm}",
            )
        n = int(seen[:, t].sum())
        found[f"adas_cog.slope_on_baseline.{week}"] = row(
            beta[3, t],
            spread[3, t],
            n,
            "points per point",
            f"slope of the change at week {week} on the baseline score",
        )
        sd = np.sqrt(sigma[t, t])
        found[f"adas_cog.residual_sd.{week}"] = row(
            sd,
            sd / np.sqrt(2 * n),
            n,
            "points",
            f"residual s.d. of the change at week {week} (s.e. as if complete)",
        )
        for s in range(t):
            r, both = sigma[s, t] / np.sqrt(sigma[s, s] * sigma[t, t]), int((seen[:, s] & seen[:, t]).sum())
            found[f"adas_cog.correlation.{WEEKS[s]}_{week}"] = row(
                r,
                (1 - r**2) / np.sqrt(both),
                both,
                "1",
                f"residual correlation of the changes at weeks {WEEKS[s]} and {week} (s.e. as if complete)",
            )
    return found


def _labs(patients: pd.DataFrame) -> dict[str, Row]:
    """Return baseline means and mean changes to weeks 4 and 24 by arm, as observed."""
    table = read("labs")
    found: dict[str, Row] = {}
    for name, unit in LABS.items():
        wide = table.pivot(index="patient", columns="week", values=name).reindex(patients.index)
        base = wide[0].dropna()
        sd = float(base.std())
        found[f"{name}.baseline.mean"] = row(
            base.mean(), sd / np.sqrt(len(base)), len(base), unit, f"mean {name} at baseline, all arms"
        )
        found[f"{name}.baseline.sd"] = row(
            sd, sd / np.sqrt(2 * len(base)), len(base), unit, "its standard deviation"
        )
        for week in (4, 24):
            for arm in ARMS:
                change = (wide[week] - wide[0])[(patients["arm"] == arm).to_numpy()].dropna()
                found[f"{name}.change.{arm}.{week}"] = row(
                    change.mean(),
                    change.std() / np.sqrt(len(change)),
                    len(change),
                    unit,
                    f"mean change of {name} from baseline to week {week}, {arm}, those observed",
                )
    return found
