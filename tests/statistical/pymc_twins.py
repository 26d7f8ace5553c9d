"""The closed-form models written once more in PyMC, all in one model, so that one compilation serves them all."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.analyses.bayesian.array_cut import ArrayCut, cut_of
from trialsim.analyses.sampled.nuts import libraries

SD = 2.0
STARTS, WIDTHS = [0.0, 6.0], np.array([6.0, 4.0])
OPTIONS: dict[str, dict[str, Any]] = {
    "beta_binomial": {"a": 0.5, "b": 0.5},
    "robust_beta_binomial": {"control_a": 11.0, "control_b": 32.0, "robust_weight": 0.2},
    "logistic_laplace": {},
    "normal_known_variance": {"sd": SD, "prior_mean": 0.0, "prior_sd": 3.0},
    "normal_unknown_variance": {
        "prior_mean": 0.0, "prior_worth": 0.5, "variance_shape_parameter": 2.0, "variance_scale_parameter": 4.0
    },
    "robust_normal": {
        "sd": SD, "control_mean": 0.0, "control_sd": 0.5, "robust_weight": 0.2, "vague_mean": 0.0, "vague_sd": 4.0
    },
    "gamma_poisson": {"prior_shape": 0.5, "prior_rate": 5.0},
    "gamma_exponential": {"prior_shape": 1.0, "prior_rate": 10.0},
    "piecewise_exponential": {"prior_shape": 1.0, "prior_rate": 10.0, "starts": STARTS, "at": 10.0},
    "cox_laplace": {},
    "dirichlet_multinomial": {"prior_alpha": [1.0, 1.0, 1.0, 1.0], "grade": 2},
}  # fmt: skip


def twins(data: dict[str, Any]) -> Any:
    """Return the joint model; the effect of each analysis is a variable of its name."""
    pm, _, _ = libraries()
    with pm.Model() as model:
        d = {name: pm.Data(name, values) for name, values in data.items()}
        rate = pm.Beta("p", 0.5, 0.5, shape=2)
        pm.Binomial("p_seen", n=d["n"], p=rate, observed=d["wins"])
        pm.Deterministic("beta_binomial", rate[1] - rate[0])

        parts = [pm.Beta.dist(11.0, 32.0), pm.Beta.dist(1.0, 1.0)]
        control = pm.Mixture("robust_control", w=[0.8, 0.2], comp_dists=parts)
        treatment = pm.Beta("robust_treatment", 1.0, 1.0)
        pm.Binomial("robust_seen", n=d["n"], p=pm.math.stack([control, treatment]), observed=d["wins_again"])
        pm.Deterministic("robust_beta_binomial", treatment - control)

        intercept, slope = pm.Normal("intercept", 0, 2.5), pm.Normal("slope", 0, 2.5)
        effect = pm.Normal("logistic_laplace", 0, 2.5)
        eta = intercept + slope * d["x"] + effect * d["treated"]
        pm.Bernoulli("logistic_seen", logit_p=eta, observed=d["won"])

        mean = pm.Normal("m", 0.0, 3.0, shape=2)
        pm.Normal("m_seen", mean, SD / pm.math.sqrt(d["n"]), observed=d["mean"])
        pm.Deterministic("normal_known_variance", mean[1] - mean[0])

        variance = pm.InverseGamma("v", 2.0, 4.0, shape=2)
        free = pm.Normal("free", 0.0, 1.0, shape=2)
        mean = free * pm.math.sqrt(variance / 0.5)
        apart = d["squares"] + d["n"] * (d["mean"] - mean) ** 2
        log_likelihood = -0.5 * d["n"] * pm.math.log(variance) - apart / (2.0 * variance)
        pm.Potential("unknown_seen", log_likelihood.sum())
        pm.Deterministic("normal_unknown_variance", mean[1] - mean[0])

        control = pm.NormalMixture("robust_m0", w=[0.8, 0.2], mu=[0.0, 0.0], sigma=[0.5, 4.0])
        treatment = pm.Normal("robust_m1", 0.0, 4.0)
        both = pm.math.stack([control, treatment])
        pm.Normal("robust_m_seen", both, SD / pm.math.sqrt(d["n"]), observed=d["mean_again"])
        pm.Deterministic("robust_normal", treatment - control)

        rates = pm.Gamma("rates", 0.5, 5.0, shape=2)
        pm.Poisson("counts_seen", rates * d["exposure"], observed=d["counts"])
        pm.Deterministic("gamma_poisson", pm.math.log(rates[1] / rates[0]))

        hazard = pm.Gamma("hazard", 1.0, 10.0, shape=2)
        pm.Potential("deaths_seen", (d["deaths"] * pm.math.log(hazard) - hazard * d["exposure"]).sum())
        pm.Deterministic("gamma_exponential", pm.math.log(hazard[1] / hazard[0]))

        pieces = pm.Gamma("pieces", 1.0, 10.0, shape=(2, 2))
        seen = d["piece_deaths"] * pm.math.log(pieces) - pieces * d["piece_exposure"]
        pm.Potential("pieces_seen", seen.sum())
        survival = pm.math.exp(-(pieces * WIDTHS).sum(axis=1))
        pm.Deterministic("piecewise_exponential", survival[1] - survival[0])

        slope, effect = pm.Normal("cox_slope", 0, 2.5), pm.Normal("cox_laplace", 0, 2.5)
        eta = slope * d["late_x"] + effect * d["late_treated"]
        at_risk = pm.math.log(pm.math.exp(eta).cumsum())
        pm.Potential("cox_seen", (d["late_event"] * (eta - at_risk)).sum())

        shares = pm.Dirichlet("shares", np.ones((2, 4)))
        pm.Potential("grades_seen", (d["grades"] * pm.math.log(shares)).sum())
        high = shares[:, 2:].sum(axis=1)
        pm.Deterministic("dirichlet_multinomial", high[1] - high[0])
    return model


def data_set(place: int) -> tuple[dict[str, ArrayCut], dict[str, Any]]:
    """Return the cut that each analysis takes, and the same data as the joint model takes them.

    Every fifth data set has 10 patients, every fifth no events, every fifth separated arms, every fifth outcomes far from
    what the priors expect; the others have 30 to 200 patients.
    """
    rng = np.random.default_rng(1000 + place)
    kind = ("small", "no_events", "separated", "conflict", "plain")[place % 5]
    n = 10 if kind == "small" else int(rng.integers(15, 101)) * 2
    treated = np.arange(n) % 2
    rate = {"no_events": (0.0, 0.0), "separated": (0.0, 1.0), "conflict": (0.85, 0.9)}.get(kind, (0.3, 0.45))
    won = (rng.random(n) < np.where(treated, rate[1], rate[0])).astype(float)
    value = rng.normal(np.where(treated, 0.6, 0.0) + (6.0 if kind == "conflict" else 0.0), SD)
    mean_time = {"no_events": 1e6, "separated": 2.0}.get(kind, 9.0)
    time = rng.exponential(np.where(treated, 1.3 * mean_time, mean_time))
    if kind == "separated":
        time = np.where(treated, 12.0 + time, time)
    event = (time < 14.0).astype(int)
    # No two times are equal, not even where follow-up ends: the joint model breaks no ties.
    time = np.minimum(time, 14.0) + 1e-7 * np.arange(n)
    counts = rng.poisson((0.0 if kind == "no_events" else 0.08) * time)
    grades = np.minimum(rng.poisson(0.0 if kind == "no_events" else 0.9, n), 3).astype(float)
    x = rng.normal(size=n)
    x = (x - x.mean()) / x.std()
    binary, plain = cut_of(treated, won), cut_of(treated, value)
    survival = cut_of(treated, time, event)
    cuts = dict.fromkeys(("beta_binomial", "robust_beta_binomial"), binary)
    cuts |= dict.fromkeys(("normal_known_variance", "normal_unknown_variance", "robust_normal"), plain)
    cuts |= dict.fromkeys(("gamma_exponential", "piecewise_exponential"), survival)
    cuts["logistic_laplace"] = cut_of(treated, won, covariates=x[:, None])
    cuts["cox_laplace"] = cut_of(treated, time, event, covariates=x[:, None])
    cuts["gamma_poisson"] = cut_of(treated, time, counts)
    cuts["dirichlet_multinomial"] = cut_of(treated, grades)
    arms = [treated == 0, treated == 1]
    late = np.argsort(-time)
    first = np.minimum(time, 6.0)
    pieces = [
        [[event[a & (time <= 6.0)].sum(), event[a & (time > 6.0)].sum()] for a in arms],
        [[first[a].sum(), (time - first)[a].sum()] for a in arms],
    ]
    data = {
        "n": np.array([a.sum() for a in arms]),
        "wins": np.array([int(won[a].sum()) for a in arms]),
        "x": x,
        "treated": treated.astype(float),
        "won": won.astype(int),
        "mean": np.array([value[a].mean() for a in arms]),
        "squares": np.array([((value[a] - value[a].mean()) ** 2).sum() for a in arms]),
        "exposure": np.array([time[a].sum() for a in arms]),
        "counts": np.array([counts[a].sum() for a in arms]),
        "deaths": np.array([float(event[a].sum()) for a in arms]),
        "piece_deaths": np.array(pieces[0], dtype=float),
        "piece_exposure": np.array(pieces[1]),
        "late_x": x[late],
        "late_treated": treated[late].astype(float),
        "late_event": event[late].astype(float),
        "grades": np.array([[float((grades[a] == g).sum()) for g in range(4)] for a in arms]),
    }
    # What two parts of the model observe they observe under two names.
    data |= {"wins_again": data["wins"], "mean_again": data["mean"]}
    return cuts, data
