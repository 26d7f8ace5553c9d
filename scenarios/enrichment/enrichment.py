"""What the three scenarios of this folder must give, by plain calculations that share no code with trialsim.

``python scenarios/enrichment/enrichment.py [completion|predictive|prognostic]`` prints, for each way of ranking, means with
Monte Carlo standard errors; for the last also the sizes that a normal approximation asks for, by quadrature.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import norm, t

SEED = 8
AREAS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
Z = norm.isf(0.025)


def area(rho: float, prevalence: float) -> float:
    """Return P(score of a case > score of another) for correlation ``rho`` with the trait."""
    threshold = ndtri(1 - prevalence)
    s = np.linspace(-8, 8, 16_001)
    step = s[1] - s[0]
    above = 1 - ndtr((threshold - rho * s) / np.sqrt(1 - rho**2))
    case = norm.pdf(s) * above / prevalence
    other = norm.pdf(s) * (1 - above) / (1 - prevalence)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (other[1:] + other[:-1]) * step)])
    return float(np.trapezoid(case * below, s))


def correlation(wanted: float, prevalence: float) -> float:
    """Return the correlation that gives an area under the curve."""
    if wanted == 0.5:
        return 0.0
    return float(brentq(lambda rho: area(rho, prevalence) - wanted, 1e-6, 0.9999, xtol=1e-10))


def shown(name: str, found: dict[str, np.ndarray]) -> None:
    """Print means and their standard errors."""
    parts = [f"{key} {v.mean():.5g} ({v.std(ddof=1) / np.sqrt(len(v)):.2g})" for key, v in found.items()]
    print(f"{name:18s} {'  '.join(parts)}")


def blocks(rng: np.random.Generator, trials: int, n: int) -> np.ndarray:
    """Return arms in permuted blocks of four, ``[trial, patient]``."""
    block = np.tile([0, 0, 1, 1], (trials, n // 4, 1))
    return rng.permuted(block, axis=2).reshape(trials, n)


# --- eligible x consents x stays x informative


CANDIDATES, TARGET, DAYS_A_CALL = 1500, 200, 0.35


def completion(trials: int = 10_000) -> None:
    """Rank 1,500 known candidates by more and more of what makes a call end in an outcome."""
    odds = {
        "eligible": lambda x: logit(0.3) + 1.5 * x["stage"],
        "consents": lambda x: logit(0.7) - x["distance"],
        "stays": lambda x: logit(0.85) - 0.867 * x["frailty"],
        "prognostic": lambda x: logit(0.3) + x["risk"],
        "predictive": lambda x: logit(0.4) + x["marker"],
    }
    rankings: dict[str, tuple[str, ...]] = {
        "as_they_come": (),
        "eligible": ("eligible",),
        "consenting": ("eligible", "consents"),
        "completing": ("eligible", "consents", "stays"),
        "prognostic": ("eligible", "consents", "stays", "prognostic"),
        "predictive": ("eligible", "consents", "stays", "predictive"),
    }
    for name, parts in rankings.items():
        _complete(name, [odds[part] for part in parts], trials)


def _complete(name: str, parts: list[Callable[[dict[str, np.ndarray]], np.ndarray]], trials: int) -> None:
    """Print what one ranking gives."""
    rng = np.random.default_rng(SEED)
    kept: dict[str, list[np.ndarray]] = {}
    for _ in range(trials // 500):
        x = {
            key: rng.standard_normal((500, CANDIDATES))
            for key in ("stage", "distance", "frailty", "risk", "marker")
        }
        key = sum((np.log(expit(part(x))) for part in parts), np.zeros((500, CANDIDATES)))
        order = np.argsort(-key, axis=1, kind="stable")
        consents = rng.random((500, CANDIDATES)) < expit(logit(0.7) - x["distance"])
        eligible = rng.random((500, CANDIDATES)) < expit(logit(0.3) + 1.5 * x["stage"])
        passed = np.take_along_axis(consents & eligible, order, axis=1)
        reached = np.cumsum(passed, axis=1)
        calls = (reached < TARGET).sum(axis=1) + 1
        asked = np.arange(CANDIDATES) < calls[:, None]
        agreed = (np.take_along_axis(consents, order, axis=1) & asked).sum(axis=1)
        taken = np.where(passed & asked, order, CANDIDATES)
        who = np.take_along_axis(
            order, np.argsort(taken == CANDIDATES, axis=1, kind="stable")[:, :TARGET], axis=1
        )
        of = {trait: np.take_along_axis(values, who, axis=1) for trait, values in x.items()}
        stays = rng.random((500, TARGET)) < 0.85 ** np.exp(0.8 * of["frailty"])
        arm = blocks(rng, 500, TARGET)
        logits = logit(0.3) + of["risk"] + arm * (0.6 + of["marker"])
        response = (rng.random((500, TARGET)) < expit(logits)) & stays
        n1, n0 = (stays & (arm == 1)).sum(axis=1), (stays & (arm == 0)).sum(axis=1)
        r1, r0 = (response & (arm == 1)).sum(axis=1), (response & (arm == 0)).sum(axis=1)
        pooled = (r1 + r0) / (n1 + n0)
        z = (r1 / n1 - r0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
        for measure, values in {
            "days": calls * DAYS_A_CALL,
            "failures": 1 - TARGET / agreed,
            "analysed": n1 + n0,
            "difference": r1 / n1 - r0 / n0,
            "control": r0 / n0,
            "rejects": z >= Z,
        }.items():
            kept.setdefault(measure, []).append(values)
    shown(name, {key: np.concatenate(values).astype(float) for key, values in kept.items()})


# --- the 40% with the highest score, where 40% respond


def predictive(trials: int = 40_000) -> None:
    """Enrol 160 of 400 by a score for who is helped."""
    for wanted in AREAS:
        rng, rho = np.random.default_rng(SEED), correlation(wanted, 0.4)
        rejects, share = [], []
        for _ in range(trials // 1000):
            trait, noise = rng.standard_normal((2, 1000, 400))
            score = rho * trait + np.sqrt(1 - rho**2) * noise
            who = np.argsort(-score, axis=1)[:, :160]
            helped = np.take_along_axis(trait, who, axis=1) > ndtri(0.6)
            arm = blocks(rng, 1000, 160)
            y = rng.standard_normal((1000, 160)) + 0.5 * helped * arm
            one, other = (np.where(arm == a, y, np.nan) for a in (1, 0))
            pooled = (np.nanvar(one, axis=1, ddof=1) + np.nanvar(other, axis=1, ddof=1)) / 2
            z = (np.nanmean(one, axis=1) - np.nanmean(other, axis=1)) / np.sqrt(pooled / 40)
            rejects.append(z >= t.isf(0.025, 158))
            share.append(helped.mean(axis=1))
        found = {"rejects": np.concatenate(rejects).astype(float), "responders": np.concatenate(share)}
        shown(f"area {wanted} rho {rho:.6f}", found)


# --- the half with the highest score, where 15% have the event


def prognostic(trials: int = 10_000, screened: int = 1548) -> None:
    """Enrol everybody, or the riskier half by a score for the event, of 1,548 who are screened."""
    for wanted in (None, 0.6, 0.7, 0.8, 0.9):
        rho = 0.0 if wanted is None else correlation(wanted, 0.15)
        threshold = ndtri(0.85)
        s = np.linspace(0, 9, 20_001)
        above = 1 - ndtr((threshold - rho * s) / np.sqrt(1 - rho**2))
        control = 0.15 if wanted is None else float(np.trapezoid(2 * norm.pdf(s) * above, s))
        treated = 0.7 * control
        mean = (control + treated) / 2
        root = Z * np.sqrt(2 * mean * (1 - mean)) + norm.ppf(0.8) * np.sqrt(
            control * (1 - control) + treated * (1 - treated)
        )
        size = 2 * (root / (control - treated)) ** 2
        n = screened if wanted is None else screened // 2
        rng, rejects, at_risk = np.random.default_rng(SEED), [], []
        for _ in range(trials // 500):
            trait, noise = rng.standard_normal((2, 500, screened))
            if wanted is None:
                struck = trait > threshold
            else:
                score = rho * trait + np.sqrt(1 - rho**2) * noise
                who = np.argsort(-score, axis=1)[:, :n]  # called, and allocated, in this order
                struck = np.take_along_axis(trait, who, axis=1) > threshold
            at_risk.append(struck.mean(axis=1))
            arm = blocks(rng, 500, n - n % 4)
            arm = np.concatenate([arm, rng.permuted(np.tile([0, 1], (500, 1)), axis=1)], axis=1)[:, :n]
            struck &= ~((arm == 1) & (rng.random(struck.shape) >= 0.7))
            n1, n0 = (arm == 1).sum(axis=1), (arm == 0).sum(axis=1)
            r1, r0 = (struck & (arm == 1)).sum(axis=1), (struck & (arm == 0)).sum(axis=1)
            pooled = (r1 + r0) / n
            z = (r0 / n0 - r1 / n1) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
            rejects.append(z >= Z)
        asked = size * (1 if wanted is None else 2)
        found = {
            "rejects": np.concatenate(rejects).astype(float),
            "at risk": np.concatenate(at_risk),
        }
        shown(
            f"area {wanted} rho {rho:.6f} control {control:.4f} screened for 0.8: {asked:.0f}; {screened}:",
            found,
        )


if __name__ == "__main__":
    for part in sys.argv[1:] or ("completion", "predictive", "prognostic"):
        {"completion": completion, "predictive": predictive, "prognostic": prognostic}[part]()
