"""Rules across fields: one thing wrong at a time, and the path and the words that answer it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario import spelling, wording
from trialsim.scenario.load import load_scenario, scenario_from, scenario_from_text
from trialsim.scenario.reading import parse_yaml

RICH = Path(__file__).with_name("scenario_rich.yaml")
DELETE = object()


def rich() -> Any:
    return parse_yaml(RICH.read_text(encoding="utf-8"))


def changed(path: str, value: Any, tree: Any = None) -> Any:
    """Return the rich scenario with one place set or deleted; ``/`` separates the keys."""
    tree = rich() if tree is None else tree
    *above, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    here = tree
    for key in above:
        here = here.setdefault(key, {}) if isinstance(here, dict) else here[key]
    if value is DELETE:
        del here[last]
    else:
        here[last] = copy.deepcopy(value)
    return tree


def problems_of(tree: Any) -> list[Problem]:
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(tree)
    return refusal.value.problems


CASES: list[tuple[str, Any, str, str]] = [
    # where, what is written there, path of the problem, words in its sentence
    ("name", DELETE, "name", "is required and missing"),
    ("name", "Rich", "name", "'Rich' cannot be a name"),
    ("name", None, "name", "found nothing (null)"),
    ("name", "a" * 65, "name", "at most 64"),
    ("tittle", "x", "tittle", "is not known here"),
    ("sourse", "x", "sourse", "Did you mean 'source'?"),
    ("horizon", 20, "horizon", "needs a unit"),
    ("horizon", "0 years", "horizon", "must be above zero"),
    # arms
    ("arms", [], "arms", "at least 1 entry is needed, found none"),
    ("arms", "control", "arms", "a list [...] is expected, found 'control'"),
    ("arms", ["control", "low", "high", "low"], "arms[3]", "the arm low is named twice"),
    ("arms", [f"arm{n}" for n in range(21)], "arms", "at most 20 entries"),
    ("arms/1", "Low dose", "arms[1]", "cannot be a name"),
    # population
    (
        "population/marginals/age",
        {"normal": {"mean": 50}},
        "population.marginals.age.normal.sd",
        "is required",
    ),
    (
        "population/marginals/age",
        {"normal": {"mean": 50, "sd": -1}},
        "population.marginals.age.normal.sd",
        "above 0",
    ),
    ("population/marginals/age", {}, "population.marginals.age", "exactly one of normal"),
    (
        "population/marginals/age",
        {"gamma": {}},
        "population.marginals.age.gamma",
        "allowed: normal, log_normal",
    ),
    (
        "population/marginals/age",
        {"normal": {"mean": 5, "sd": 1}, "poisson": {"mean": 2}},
        "population.marginals.age",
        "normal, poisson are given together; keep one (null takes away what `extends` brings)",
    ),
    (
        "population/marginals/sex/categorical",
        {"f": 0.4, "m": 0.5},
        "population.marginals.sex.categorical",
        "sum to 0.9",
    ),
    (
        "population/marginals/sex/categorical/male",
        1.6,
        "population.marginals.sex.categorical.male",
        "out of range",
    ),
    ("population/marginals/toxicity", {"poisson": {"mean": 1}}, "population", "the name of a latent trait"),
    ("population/traits/prognossis", {"sd": 1}, "population.traits.prognossis", "Did you mean 'prognosis'?"),
    ("population/resample", "x.csv", "population", "not both"),
    ("population/correlation/age/crp", 1.0, "population.correlation.age.crp", "must be above -1 and below 1"),
    ("population/correlation/age/crpp", 0.1, "population.correlation", "Did you mean 'crp'?"),
    ("population/correlation/age/toxicity", 0.1, "population.correlation", "'toxicity' is not among traits"),
    ("population/correlation/age/age", 0.1, "population.correlation", "correlated with itself"),
    ("population/correlation/crp", {"age": 0.4}, "population.correlation", "two different values"),
    (
        "population/correlation",
        {"age": {"crp": 0.9, "frac": 0.9}, "crp": {"frac": -0.9}},
        "population.correlation",
        "not positive definite",
    ),
    # accrual
    (
        "accrual",
        {},
        "accrual",
        "exactly one of evenly_spaced, uniform, piecewise, poisson, sites; none is given",
    ),
    ("accrual", {"evenly_spaced": {}}, "accrual.evenly_spaced", "exactly one of over, rate"),
    ("accrual", {"poisson": {"rate": 33}}, "accrual.poisson.rate", "needs a time unit"),
    ("accrual", {"uniform": {"over": "30 years"}}, "accrual", "beyond the horizon"),
    (
        "accrual",
        {"poisson": {"rate": "1 per year"}},
        "designs.fixed.n",
        "about 20 of 300 patients come before",
    ),
    ("accrual/piecewise/rates/1/rate", "0 per month", "accrual.piecewise", "the last rate is zero"),
    ("accrual/piecewise/rates/0/from", "1 month", "accrual.piecewise", "must begin at zero"),
    ("accrual/piecewise/rates/1/from", "0 days", "accrual.piecewise", "in order of time"),
    ("accrual/piecewise/rates", [], "accrual.piecewise.rates", "at least 1 entry is needed, found none"),
    ("accrual/piecewise/arrivals", "even", "accrual.piecewise.arrivals", "not one of poisson, evenly_spaced"),
    # endpoints
    ("endpoints", {}, "endpoints", "at least 1 entry is needed, found none"),
    ("endpoints/cd4/kind", "continous", "endpoints.cd4", "Did you mean 'continuous'?"),
    ("endpoints/cd4/kind", DELETE, "endpoints.cd4", "kind is required"),
    ("endpoints/cd4", "continuous", "endpoints.cd4", "a mapping with kind"),
    ("endpoints/cd4/sdd", 1, "endpoints.cd4.sdd", "Did you mean 'sd'?"),
    ("endpoints/cd4/sd", "100", "endpoints.cd4.sd", "write it without quotes"),
    ("endpoints/cd4/sd", "nan", "endpoints.cd4.sd", "at most 1,000,000,000 is expected, found 'nan'"),
    ("endpoints/cd4/sd", "\uff11\uff10\uff10", "endpoints.cd4.sd", "write it with the digits 0 to 9"),
    (
        "endpoints/cd4/sd",
        "100\u00a0",
        "endpoints.cd4.sd",
        "it holds a space that is not a plain one; write 100",
    ),
    ("endpoints/cd4/readout", DELETE, "endpoints.cd4.readout", "is required"),
    ("endpoints/cd4/readout", "0 weeks", "endpoints.cd4.readout", "above zero"),
    ("endpoints/cd4/readout", "100 years", "endpoints.cd4.readout", "beyond the horizon"),
    ("endpoints/cd4/effect", {"low": 1}, "endpoints.cd4.effect", "missing: high"),
    ("endpoints/cd4/effect/hihg", 1, "endpoints.cd4.effect.hihg", "Did you mean 'high'?"),
    ("endpoints/cd4/effect/control", 1, "endpoints.cd4.effect.control", "is the control arm"),
    (
        "endpoints/cd4/drift",
        {"per_year": 1, "scale": "probability"},
        "endpoints.cd4.drift.scale",
        "binary endpoints",
    ),
    ("endpoints/progression/baseline", {}, "endpoints.progression.baseline", "none is given"),
    (
        "endpoints/progression/baseline/hazard",
        "1 per year",
        "endpoints.progression.baseline",
        "given together",
    ),
    (
        "endpoints/progression/baseline",
        {"survival": 0.8},
        "endpoints.progression.baseline",
        "belong together",
    ),
    (
        "endpoints/progression/baseline",
        {"median": "3 years", "at": "1 year"},
        "endpoints.progression.baseline",
        "belong together",
    ),
    (
        "endpoints/progression/baseline",
        {"survival": 1.0, "at": "1 year"},
        "endpoints.progression.baseline.survival",
        "below 1",
    ),
    (
        "endpoints/progression/baseline",
        {"weibull": {"shape": 0, "median": "1 year"}},
        "endpoints.progression.baseline.weibull.shape",
        "at least 0.05",
    ),
    (
        "endpoints/progression/baseline",
        {"weibull": {"shape": 2}},
        "endpoints.progression.baseline.weibull",
        "exactly one of median, scale",
    ),
    (
        "endpoints/progression/baseline",
        {"piecewise": [{"from": "0 days", "hazard": "0 per year"}]},
        "endpoints.progression.baseline",
        "all hazards are zero",
    ),
    ("endpoints/progression/effect/low", 0, "endpoints.progression.effect.low", "above 0"),
    ("endpoints/progression/effect/low", "low", "endpoints.progression.effect.low", "a number"),
    (
        "endpoints/progression/effect/high/0/from",
        "1 day",
        "endpoints.progression.effect.high",
        "begin at zero",
    ),
    (
        "endpoints/progression/effect/high/1/hazard_ratio",
        -1,
        "endpoints.progression.effect.high[1].hazard_ratio",
        "above 0",
    ),
    (
        "endpoints/progression/effect_kind",
        DELETE,
        "endpoints.progression.effect_kind",
        "is required with covariates",
    ),
    (
        "endpoints/progression/effect_kind",
        "marginal",
        "endpoints.progression.effect.high",
        "cannot be marginal",
    ),
    (
        "endpoints/progression/effect_kind",
        "both",
        "endpoints.progression.effect_kind",
        "not one of conditional",
    ),
    (
        "endpoints/progression/covariates/agge",
        1,
        "endpoints.progression.covariates.agge",
        "Did you mean 'age'?",
    ),
    (
        "endpoints/progression/covariates/sex",
        1,
        "endpoints.progression.covariates.sex",
        "sex.female, sex.male",
    ),
    (
        "endpoints/progression/covariates/sex.mal",
        1,
        "endpoints.progression.covariates.sex.mal",
        "Did you mean 'male'?",
    ),
    (
        "endpoints/progression/covariates/age.old",
        1,
        "endpoints.progression.covariates.age.old",
        "has no levels",
    ),
    (
        "endpoints/progression/covariates/prognosis",
        1,
        "endpoints.progression.covariates.prognosis",
        "under latent",
    ),
    ("endpoints/progression/latent/toxicity", 1, "endpoints.progression.latent.toxicity", "is not declared"),
    (
        "endpoints/progression/modifiers/toxicity",
        1,
        "endpoints.progression.modifiers.toxicity",
        "is not declared",
    ),
    (
        "endpoints/progression/centre/crp",
        1,
        "endpoints.progression.centre.crp",
        "is not among the covariates",
    ),
    ("endpoints/response/rate", 1, "endpoints.response.rate", "below 1"),
    ("endpoints/response/effect/high", 1.0, "endpoints.response.effect.high", "must be between 0 and 1"),
    ("endpoints/response/effect_measure", DELETE, "endpoints.response.effect_measure", "is required"),
    ("endpoints/response/effect_measure", "rr", "endpoints.response.effect_measure", "odds_ratio"),
    (
        "endpoints/response/drift/steps/0/change",
        0.6,
        "endpoints.response.drift.steps[0].change",
        "must stay between",
    ),
    # dropout
    ("dropout/effect/placebo", 1.1, "dropout.effect.placebo", "the arm 'placebo' is unknown"),
    ("dropout/baseline/at", 1, "dropout.baseline.at", "needs a unit"),
    # hypotheses
    ("hypotheses/high/endpoint", "progresion", "hypotheses.high.endpoint", "Did you mean 'progression'?"),
    ("hypotheses/high/arms", ["high", "high"], "hypotheses.high.arms", "compared with itself"),
    ("hypotheses/high/arms", ["high", "placebo"], "hypotheses.high.arms[1]", "the arm 'placebo' is unknown"),
    ("hypotheses/high/arms", ["high"], "hypotheses.high.arms", "one arm alone is compared with a rate"),
    ("hypotheses/high/analysis", "t_test", "hypotheses.high.analysis", "does not suit the survival endpoint"),
    ("hypotheses/high/analysis", "log_rank", "hypotheses.high.analysis", "Did you mean 'logrank'?"),
    ("hypotheses/high/analysis", "z_test", "hypotheses.high.analysis", "needs the known standard deviation"),
    (
        "hypotheses/high/analysis",
        {"restricted_mean": {"up_to": "1 year", "strata": ["sex"]}},
        "hypotheses.high.analysis.restricted_mean.strata",
        "not known here",
    ),
    (
        "hypotheses/high/analysis",
        {"cox": {"covariates": ["age", "agge"]}},
        "hypotheses.high.analysis.cox.covariates[1]",
        "Did you mean 'age'?",
    ),
    (
        "hypotheses/high/analysis",
        {"cox": {"covariates": ["age", "age"]}},
        "hypotheses.high.analysis.cox.covariates[1]",
        "named twice",
    ),
    (
        "hypotheses/high/analysis",
        {"cox": {"covariates": ["sex"], "strata": ["sex"]}},
        "hypotheses.high.analysis.cox.covariates[0]",
        "makes strata already",
    ),
    (
        "hypotheses/high/analysis",
        {"cox": {"covariates": ["prognosis"]}},
        "hypotheses.high.analysis.cox.covariates[0]",
        "latent trait",
    ),
    (
        "hypotheses/high/analysis",
        {"milestone": {"at": "21 years"}},
        "hypotheses.high.analysis.milestone.at",
        "beyond the horizon",
    ),
    ("hypotheses/high/analysis", "milestone", "hypotheses.high.analysis", "{milestone: {at: 12 months}}"),
    ("hypotheses/high/analysis", "restricted_mean", "hypotheses.high.analysis", "up to which survival"),
    (
        "hypotheses/high/analysis",
        "fleming_harrington",
        "hypotheses.high.analysis",
        "the powers of its weights",
    ),
    (
        "hypotheses/high/analysis",
        {"fleming_harrington": {"rho": -1, "gamma": 0}},
        "hypotheses.high.analysis.fleming_harrington.rho",
        "0",
    ),
    ("hypotheses/mean/analysis", "ancova", "hypotheses.mean.analysis", "covariates to adjust for"),
    (
        "hypotheses/mean/analysis",
        {"ancova": {"covariates": []}},
        "hypotheses.mean.analysis.ancova.covariates",
        "at least 1",
    ),
    (
        "hypotheses/mean/analysis",
        {"procova": {"score": {"age": 1, "sex": 2}}},
        "hypotheses.mean.analysis.procova.score.sex",
        "categorical",
    ),
    (
        "hypotheses/mean/analysis",
        {"procova": {"score": {"weight": 1}}},
        "hypotheses.mean.analysis.procova.score.weight",
        "unknown",
    ),
    ("hypotheses/resp/analysis", "cochran_mantel_haenszel", "hypotheses.resp.analysis", "needs strata"),
    (
        "hypotheses/resp/analysis",
        {"miettinen_nurminen": {"margin": 1}},
        "hypotheses.resp.analysis.miettinen_nurminen.margin",
        "1",
    ),
    ("hypotheses/resp/analysis", "welch", "hypotheses.resp.analysis", "does not suit the binary endpoint"),
    (
        "hypotheses/high/analysis",
        {"logrank": {"strata": ["sexx"]}},
        "hypotheses.high.analysis.logrank.strata[0]",
        "Did you mean 'sex'?",
    ),
    (
        "hypotheses/high/analysis",
        {"logrank": {"strata": ["age"]}},
        "hypotheses.high.analysis.logrank.strata[0]",
        "not categorical",
    ),
    ("hypotheses/high/direction", "up", "hypotheses.high.direction", "not one of lower, higher"),
    ("hypotheses/high/follow_up", "21 years", "hypotheses.high.follow_up", "beyond the horizon"),
    ("hypotheses/high/strategy", "hypothetcal", "hypotheses.high.strategy", "not one of treatment_policy"),
    # truths
    ("truths", {}, "truths", "at least 1 entry is needed, found none"),
    ("truths/no_effect", None, "truths.no_effect", "a mapping"),
    ("truths/Bad", {}, "truths.Bad", "cannot be a name"),
    ("truths/bad", {"designs.fixed.n": 10}, "truths.bad.designs.fixed.n", "is not in the world"),
    (
        "truths/bad",
        {"endpoints.cd4.effect.hi": 1.0},
        "truths.bad",
        "matches no number of the world. Did you mean",
    ),
    ("truths/bad", {"endpoints.cd4.kind": 1.0}, "truths.bad", "matches no number"),
    ("truths/bad", {"endpoints.cd4": 1.0}, "truths.bad", "matches no number"),
    (
        "truths/bad",
        {"endpoints.cd4.*": 1.0, "endpoints.*.sd": 2.0},
        "truths.bad",
        "endpoints.*.sd and endpoints.cd4.* set the same number",
    ),
    (
        "truths/bad",
        {"endpoints.*.sd": 1.0, "endpoints.cd4.sd": 2.0},
        "truths.bad",
        "endpoints.*.sd changes nothing: more exact paths",
    ),
    ("truths/bad", {"endpoints.cd4.sd": -1.0}, "truths.bad", "endpoints.cd4.sd: -1 is out of range"),
    ("truths/bad", {"endpoints.cd4.sd": "3 weeks"}, "truths.bad", "endpoints.cd4.sd: a number"),
    (
        "truths/bad",
        {"endpoints.cd4.sd": True},
        "truths.bad.endpoints.cd4.sd",
        "a number is expected, found true",
    ),
    (
        "truths/bad",
        {"endpoints.cd4.readout": 3},
        "truths.bad",
        "endpoints.cd4.readout: a duration needs a unit",
    ),
    (
        "truths/bad",
        {"endpoints.response.rate": 0.999},
        "truths.bad",
        "endpoints.response.drift.steps[0].change",
    ),
    ("truths/bad", {"population.correlation.age.*": 0.9}, "truths.bad", "population.correlation"),
    ("truths/bad", {"accrual.piecewise.rates[7].rate": "1 per day"}, "truths.bad", "matches no number"),
    (
        "truths/bad",
        {"accrual.piecewise.rates.*.rate": "0 per day"},
        "truths.bad",
        "accrual.piecewise: the last rate",
    ),
    ("truths/bad", {"grid": {}}, "truths.bad.grid", "a mapping of paths to lists"),
    ("truths/bad", {"grid": {"endpoints.cd4.sd": 3}}, "truths.bad.grid.endpoints.cd4.sd", "a list of values"),
    ("truths/bad", {"grid": {"endpoints.cd4.sd": [1, 1]}}, "truths.bad.grid", "occurs twice"),
    ("truths/bad", {"grid": {"endpoints.cd4.sd": [1, "x"]}}, "truths.bad.grid.endpoints.cd4.sd", "found 'x'"),
    ("truths/bad", {"grid": {"endpoints.cd4.sd": [[]]}}, "truths.bad.grid.endpoints.cd4.sd", "found a list"),
    (
        "truths/bad",
        {"grid": {"endpoints.cd4.sd": [*range(1, 200)], "endpoints.cd4.mean": [*range(1, 200)]}},
        "truths.bad.grid",
        "beyond 10,000 truths",
    ),
    # designs
    ("designs/fixed/kind", "adaptive", "designs.fixed.kind", "not one of fixed, group_sequential"),
    ("designs/fixed/n", 1, "designs.fixed.n", "at least 2"),
    ("designs/fixed/n", 2_000_000, "designs.fixed.n", "at most 1,000,000"),
    ("designs/fixed/n", 300.5, "designs.fixed.n", "a whole number is expected"),
    ("designs/fixed/n", True, "designs.fixed.n", "found true"),
    ("designs/fixed/arms", ["control", "lwo"], "designs.fixed.arms[1]", "Did you mean 'low'?"),
    ("designs/fixed/arms", ["low", "high"], "designs.fixed.arms[0]", "must be the control arm"),
    (
        "designs/fixed/arms",
        ["control", "high"],
        "designs.fixed.tests.low",
        "compares low, which the design has not",
    ),
    ("designs/fixed/allocation", "alternate", "designs.fixed.allocation", "Did you mean 'alternating'?"),
    ("designs/fixed/allocation", "permuted_blocks", "designs.fixed.allocation", "needs a block size"),
    (
        "designs/fixed/allocation",
        {"permuted_blocks": {"size": 8}},
        "designs.fixed.allocation.permuted_blocks.size",
        "9 is",
    ),
    (
        "designs/fixed/allocation/permuted_blocks/size",
        6,
        "designs.fixed.allocation.permuted_blocks.size",
        "6 is not a multiple of the ratio's sum 4; 8 is",
    ),
    (
        "designs/fixed/allocation/permuted_blocks/ratio/high",
        DELETE,
        "designs.fixed.allocation.permuted_blocks.ratio",
        "missing: high",
    ),
    (
        "designs/fixed/allocation/permuted_blocks/ratio/high",
        0,
        "designs.fixed.allocation.permuted_blocks.ratio.high",
        "at least 1",
    ),
    (
        "designs/fixed/allocation",
        {"stratified_permuted_blocks": {"size": 6, "strata": ["prognosis"]}},
        "designs.fixed.allocation.stratified_permuted_blocks.strata[0]",
        "which nobody sees",
    ),
    (
        "designs/fixed/allocation",
        "minimisation",
        "designs.fixed.allocation",
        "minimisation needs its factors: {minimisation: {factors: [sex]}}",
    ),
    (
        "designs/fixed/allocation",
        {"minimization": {"factors": ["sex"]}},
        "designs.fixed.allocation.minimization",
        "Did you mean 'minimisation'?",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"measure": "range"}},
        "designs.fixed.allocation.minimisation.factors",
        "is required and missing",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sexx"]}},
        "designs.fixed.allocation.minimisation.factors[0]",
        "Did you mean 'sex'?",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["age"]}},
        "designs.fixed.allocation.minimisation.factors[0]",
        "'age' is not categorical; factors have levels",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["prognosis"]}},
        "designs.fixed.allocation.minimisation.factors[0]",
        "which nobody sees; factors are made of covariates",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex", "sex"]}},
        "designs.fixed.allocation.minimisation.factors[1]",
        "'sex' is named twice",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"]}},
        "designs.fixed.allocation.minimisation.factors",
        "at most 8 entries are allowed, found 9",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "weights": {"sx": 2}}},
        "designs.fixed.allocation.minimisation.weights.sx",
        "the factor 'sx' is unknown; allowed: sex. Did you mean 'sex'?",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "weights": {"sex": 0.5}}},
        "designs.fixed.allocation.minimisation.weights.sex",
        "whole number",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "measure": "ranges"}},
        "designs.fixed.allocation.minimisation.measure",
        "Did you mean 'range'?",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "probability": 0.3}},
        "designs.fixed.allocation.minimisation.probability",
        "0.3 is below the smallest share, 1 of 3",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "probability": 1.2}},
        "designs.fixed.allocation.minimisation.probability",
        "at most 1",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "ratio": {"control": 97, "low": 89, "high": 83}}},
        "designs.fixed.allocation.minimisation.ratio",
        "least common multiple of the shares is 716,539",
    ),
    (
        "designs/fixed/allocation",
        {"minimisation": {"factors": ["sex"], "ratio": {"control": 1, "low": 2}}},
        "designs.fixed.allocation.minimisation.ratio",
        "missing: high",
    ),
    (
        "designs/fixed/allocation",
        "biased_coin",
        "designs.fixed.allocation",
        "for 2 arms, and the design has 3; minimisation: {factors: []}",
    ),
    (
        "designs/fixed/allocation",
        {"biased_coin": {"strata": ["sexx"]}},
        "designs.fixed.allocation.biased_coin.strata[0]",
        "Did you mean 'sex'?",
    ),
    (
        "designs/fixed/allocation",
        {"biased_coin": {"probability": 0}},
        "designs.fixed.allocation.biased_coin.probability",
        "above 0",
    ),
    ("designs/fixed/looks", [], "designs.fixed.looks", "at least 1 entry is needed, found none"),
    (
        "designs/fixed/looks",
        [{"when": {"calendar": "1 year"}}, {"when": {"calendar": "2 years"}}],
        "designs.fixed.looks",
        "exactly one look, found 2",
    ),
    ("designs/fixed/looks/0/when", {}, "designs.fixed.looks[0].when", "a trigger is expected"),
    (
        "designs/fixed/looks/0/when",
        {"evnts": 3},
        "designs.fixed.looks[0].when.evnts",
        "Did you mean 'events'?",
    ),
    (
        "designs/fixed/looks/0/when",
        {"enrolled": 301},
        "designs.fixed.looks[0].when.enrolled",
        "exceeds the 300 patients",
    ),
    (
        "designs/fixed/looks/0/when",
        {"gap": "3 days"},
        "designs.fixed.looks[0].when.gap",
        "the first look has none",
    ),
    (
        "designs/fixed/looks/0/when/no_later_than",
        "21 years",
        "designs.fixed.looks[0].when.no_later_than",
        "horizon",
    ),
    ("designs/fixed/looks/0/cleaning_lag", 3, "designs.fixed.looks[0].cleaning_lag", "needs a unit"),
    (
        "designs/fixed/looks/0/decision_lag",
        "30 years",
        "designs.fixed.looks[0].decision_lag",
        "beyond the horizon",
    ),
    (
        "designs/sequential/looks/2/when/all/0",
        {"events": 400},
        "designs.sequential.looks[2].when.all[0].events",
        "400 exceeds the 300 patients that can be enrolled",
    ),
    (
        "designs/sequential/looks/2/when",
        {"events": 400},
        "designs.sequential.looks[2].when.events",
        "400 exceeds the 300 patients that can be enrolled",
    ),
    (
        "designs/sequential/looks/2/when",
        {"events": {"count": 400}},
        "designs.sequential.looks[2].when.events.count",
        "400 exceeds the 300 patients that can be enrolled",
    ),
    (
        "designs/sequential/looks/2/when",
        {"events": 50},
        "designs.sequential.looks[2].when.events",
        "50 events is not more than the 50 of look 1",
    ),
    (
        "designs/sequential/looks/1/when/events/endpoint",
        "cd4",
        "designs.sequential.looks[1].when.events.endpoint",
        "it has readouts, not events",
    ),
    (
        "designs/sequential/looks/1/when/events/endpoint",
        "cd5",
        "designs.sequential.looks[1].when.events.endpoint",
        "Did you mean 'cd4'?",
    ),
    (
        "designs/sequential/looks/1/when/events/arms/0",
        "hi",
        "designs.sequential.looks[1].when.events.arms[0]",
        "Did you mean 'high'?",
    ),
    (
        "designs/sequential/looks/1/when",
        {"any": [{"all": [{"any": [{"events": 60}]}]}]},
        "designs.sequential.looks[1].when.any[0].all[0].any",
        "nested too deeply",
    ),
    (
        "designs/sequential/looks/1/when",
        {"any": [{"events": 60, "no_later_than": "1 year"}]},
        "designs.sequential.looks[1].when",
        "beside the outermost",
    ),
    ("designs/fixed/tests", {}, "designs.fixed.tests", "at least 1 entry is needed, found none"),
    ("designs/fixed/tests/higgh", {"alpha": 0.01}, "designs.fixed.tests.higgh", "Did you mean 'high'?"),
    ("designs/fixed/tests/high/alpha", 0.6, "designs.fixed.tests.high.alpha", "at most 0.5"),
    ("designs/fixed/tests/high/alpha", 0, "designs.fixed.tests.high.alpha", "above 0"),
    ("designs/fixed/bounds", {"efficacy_z": [1.96]}, "designs.fixed.bounds", "a fixed design has no bounds"),
    ("designs/sequential/bounds", DELETE, "designs.sequential.bounds", "is required for a group sequential"),
    (
        "designs/sequential/bounds/efficacy_z",
        [3, 2],
        "designs.sequential.bounds.efficacy_z",
        "2 bounds for 3 looks",
    ),
    (
        "designs/sequential/bounds/futility_z",
        [0, 0],
        "designs.sequential.bounds.futility_z",
        "2 bounds for 3 looks",
    ),
    (
        "designs/sequential/bounds/efficacy_z/2",
        None,
        "designs.sequential.bounds.efficacy_z[2]",
        "a finite bound",
    ),
    ("designs/sequential/bounds/efficacy_z/2", "two", "designs.sequential.bounds.efficacy_z[2]", "a number"),
    (
        "designs/sequential/bounds/efficacy_z/0",
        float("-inf"),
        "designs.sequential.bounds.efficacy_z[0]",
        "-.inf would be crossed whatever the data; null or .inf is no bound",
    ),
    (
        "designs/sequential/bounds/futility_z/0",
        float("inf"),
        "designs.sequential.bounds.futility_z[0]",
        ".inf would be crossed whatever the data; null or -.inf is no bound",
    ),
    (
        "designs/sequential/bounds/futility_z/0",
        4.0,
        "designs.sequential.bounds.futility_z[0]",
        "above the efficacy",
    ),
    (
        "designs/sequential/bounds",
        {"high": {"efficacy_z": [3, 2, 1]}, "lowe": {"efficacy_z": [3, 2, 1]}},
        "designs.sequential.bounds.lowe",
        "Did you mean 'low'?",
    ),
    (
        "designs/sequential/bounds",
        {"high": {"efficacy_z": [3, 2, 1]}},
        "designs.sequential.bounds",
        "missing: low, resp",
    ),
    ("designs/sequential/futility_binding", "maybe", "designs.sequential.futility_binding", "true or false"),
    (
        "designs/fixed/reviews",
        {"every": {}},
        "designs.fixed.reviews.every",
        "exactly one of enrolled, calendar",
    ),
    ("designs/fixed/reviews/every/enrolled", 301, "designs.fixed.reviews.every.enrolled", "exceeds the 300"),
    (
        "designs/fixed/reviews",
        {"every": {"calendar": "1 hour"}},
        "designs.fixed.reviews.every.calendar",
        "too often",
    ),
    (
        "designs/fixed/policies",
        {"stoping": "bounds"},
        "designs.fixed.policies.stoping",
        "Did you mean 'stopping'?",
    ),
    (
        "designs/fixed/policies",
        {"stopping": "bound"},
        "designs.fixed.policies.stopping",
        "Did you mean 'bounds'?",
    ),
    (
        "designs/sequential/policies/stopping/drop_arms",
        {"look": 3, "keep": 1},
        "designs.sequential.policies.stopping.drop_arms.look",
        "not before the last of 3 looks",
    ),
    (
        "designs/sequential/policies/stopping/drop_arms",
        {"look": 1, "keep": 2},
        "designs.sequential.policies.stopping.drop_arms.keep",
        "drops none",
    ),
    (
        "designs/sequential/policies/stopping/drop_arms/kep",
        2,
        "designs.sequential.policies.stopping.drop_arms.kep",
        "Did you mean 'keep'?",
    ),
    ("designs/sequential/extends", "fixd", "designs.sequential.extends", "Did you mean 'fixed'?"),
    ("designs/fixed/extends", "sequential", "designs.fixed.extends", "comes back to itself"),
    ("designs/fixed/extends", "fixed", "designs.fixed.extends", "comes back to itself"),
]


@pytest.mark.parametrize(
    ("where", "written", "path", "words"), CASES, ids=[f"{c[0]}-{c[3][:20]}" for c in CASES]
)
def test_a_broken_rule_is_answered_at_its_place(where: str, written: Any, path: str, words: str) -> None:
    problems = problems_of(changed(where, written))
    found = [problem for problem in problems if problem.path.startswith(path)]
    assert any(words in problem.message for problem in found), [str(problem) for problem in problems]


def test_the_rich_scenario_is_good() -> None:
    load_scenario(RICH)


def test_every_problem_is_told_at_once_though_parts_cannot_be_read() -> None:
    tree = changed("endpoints/cd4/sd", "wide")
    changed("hypotheses/low/endpoint", "progresion", tree)
    changed("designs/fixed/n", 200, tree)
    changed("designs/sequential/looks/2/when", {"events": 400}, tree)
    changed("accrual", {"poisson": {"rate": 3}}, tree)
    paths = [problem.path for problem in problems_of(tree)]
    assert paths == [
        "accrual.poisson.rate",
        "endpoints.cd4.sd",
        "hypotheses.low.endpoint",
        "designs.sequential.looks[2].when.events",
        "truths.slow",
    ]


def test_a_misspelt_key_hides_nothing_of_what_stands_beside_it_or_under_it() -> None:
    tree = changed("hypotheses/high/endpoint", "progresion")
    tree["hypotheses"]["high"]["direcion"] = tree["hypotheses"]["high"].pop("direction")
    tree["designs"]["fixed"]["alocation"] = tree["designs"]["fixed"].pop("allocation")
    tree["designs"]["fixed"]["alocation"]["permuted_blocks"]["size"] = 7
    found = {problem.path: problem.message for problem in problems_of(tree)}
    assert found.keys() == {
        "designs.fixed.alocation",
        "designs.fixed.allocation",
        "designs.fixed.alocation.permuted_blocks.size",
        "hypotheses.high.direcion",
        "hypotheses.high.direction",
        "hypotheses.high.endpoint",
    }
    assert "Did you mean 'progression'?" in found["hypotheses.high.endpoint"]
    assert "7 is not a multiple of the ratio's sum 4" in found["designs.fixed.alocation.permuted_blocks.size"]


def test_names_are_judged_in_a_design_whose_values_cannot_be_read() -> None:
    tree = changed("designs/fixed/looks/0/cleaning_lag", "a while")
    changed("designs/fixed/tests/higgh", {"alpha": 0.01}, tree)
    changed("designs/fixed/arms", ["control", "low", "hgih"], tree)
    changed("designs/sequential/under", "as_writen", tree)
    changed("designs/sequential/looks/1/when/events/endpoint", "cd5", tree)
    found = {problem.path: problem.message for problem in problems_of(tree)}
    for path, word in {
        "designs.fixed.tests.higgh": "high",
        "designs.fixed.arms[2]": "high",
        "designs.sequential.under": "as_written",
        "designs.sequential.looks[1].when.events.endpoint": "cd4",
    }.items():
        assert f"Did you mean '{word}'?" in found[path]
    assert "a duration is expected" in found["designs.fixed.looks[0].cleaning_lag"]


def test_the_paths_of_truths_are_judged_though_hypotheses_and_designs_cannot_be_read() -> None:
    tree = changed("hypotheses/high/direction", "up")
    changed("designs/fixed/n", "many", tree)
    changed("truths/wrong", {"endpoints.progression.effect.lwo": 1.0, "endpoints.cd4.sd": -1}, tree)
    problems = problems_of(tree)
    assert [problem.path for problem in problems] == [
        "hypotheses.high.direction",
        "designs.fixed.n",
        "truths.wrong",
        "truths.wrong",
    ]
    assert "Did you mean 'endpoints.progression.effect.low'?" in problems[2].message
    assert problems[3].message.startswith("endpoints.cd4.sd: -1 is out of range")


def test_what_depends_on_a_value_that_cannot_be_read_is_not_told() -> None:
    tree = changed("designs/fixed/n", "many")
    changed("designs/fixed/looks/0/when", {"events": 400}, tree)
    assert [problem.path for problem in problems_of(tree)] == ["designs.fixed.n"]
    tree = changed("arms", "all of them")
    changed("endpoints/cd4/effect", {"low": 20}, tree)
    assert [problem.path for problem in problems_of(tree)] == ["arms"]


def test_a_misspelt_extends_is_told_alone() -> None:
    tree = rich()
    tree["designs"]["sequential"]["extendss"] = tree["designs"]["sequential"].pop("extends")
    (problem,) = problems_of(tree)
    assert problem.path == "designs.sequential.extendss"
    assert problem.message.endswith("Did you mean 'extends'?")


def test_a_design_that_extends_none_that_there_is_is_judged_in_what_it_says_itself() -> None:
    tree = changed("designs/sequential/extends", "elsewhere")
    changed("designs/sequential/futility_bindng", "no", tree)
    changed("designs/sequential/looks/1/decision_lag", 14, tree)
    assert {problem.path for problem in problems_of(tree)} == {
        "designs.sequential.extends",
        "designs.sequential.futility_bindng",
        "designs.sequential.looks[1].decision_lag",
    }


def test_shares_of_no_arm_are_answered() -> None:
    problems = problems_of(changed("designs/fixed/allocation/permuted_blocks/ratio", {}))
    assert [problem.path for problem in problems] == ["designs.fixed.allocation.permuted_blocks.ratio"]


def test_a_hypothesis_of_one_arm_has_no_place_in_a_multi_arm_design() -> None:
    tree = changed("hypotheses/high/arms", ["high"])
    changed("hypotheses/high/analysis", {"beta_binomial": {"rate": 0.2}}, tree)
    changed("designs/fixed/kind", "multi_arm_multi_stage", tree)
    found = [problem for problem in problems_of(tree) if problem.path == "designs.fixed.tests.high"]
    assert "has one arm; every test compares an arm with control" in found[0].message


def test_a_futility_bound_beyond_all_statistics_is_refused() -> None:
    tree = changed("designs/sequential/bounds", DELETE)
    changed("designs/sequential/efficacy", "pocock", tree)
    changed("designs/sequential/futility", {"z": [-1e9, 0]}, tree)
    found = {problem.path: problem.message for problem in problems_of(tree)}
    assert "it must be at least -100 and at most 100" in found["designs.sequential.futility"]


def test_a_broken_part_does_not_make_others_look_broken() -> None:
    tree = changed("endpoints/progression/baseline/median", 3)
    assert [problem.path for problem in problems_of(tree)] == ["endpoints.progression.baseline.median"]
    tree = changed("population/marginals/age/normal/sd", -1)
    assert [problem.path for problem in problems_of(tree)] == ["population.marginals.age.normal.sd"]
    tree = changed("hypotheses/high/direction", "up")
    assert [problem.path for problem in problems_of(tree)] == ["hypotheses.high.direction"]
    tree = changed("arms", ["control", "low", "High"])
    assert [problem.path for problem in problems_of(tree)] == ["arms[2]"]


def test_a_single_arm_says_that_two_are_needed() -> None:
    tree = rich()
    tree["arms"] = ["control"]
    found = {problem.path: problem.message for problem in problems_of(tree)}
    assert "two arms are needed" in found["arms"]
    assert "write arms: [control, treatment], or compare the one arm with a rate" in found["arms"]
    assert not any("allowed: none" in sentence for sentence in found.values())
    assert not any(path.startswith("hypotheses.") and ".arms" in path for path in found)


def test_what_a_design_inherits_is_told_once() -> None:
    tree = changed("designs/fixed/tests/high/alpha", 0.7)
    assert [problem.path for problem in problems_of(tree)] == ["designs.fixed.tests.high.alpha"]


def test_what_is_wrong_with_a_grid_is_told_once() -> None:
    tree = changed("truths/ladder/endpoints.cd4.sd", -90)
    (problem,) = problems_of(tree)
    assert problem.path.startswith("truths.ladder[")
    assert problem.message.startswith("endpoints.cd4.sd: -90 is out of range")


def test_counts_without_an_endpoint_must_be_clear() -> None:
    tree = changed("endpoints/death", rich()["endpoints"]["progression"])
    changed("hypotheses/dead", rich()["hypotheses"]["high"] | {"endpoint": "death"}, tree)
    changed("designs/fixed/tests/dead", {"alpha": 0.01}, tree)
    problem = problems_of(tree)[0]
    assert problem.path == "designs.sequential.looks[0].when.events"
    assert (
        "the events of progression, death could be meant; name the endpoint: {events: {count: 50"
        in problem.message
    )
    tree = changed("designs/fixed/looks/0/when", {"readouts": 10})
    changed("designs/fixed/tests", {"high": {"alpha": 0.01}}, tree)
    assert "the readouts of cd4, response could be meant" in problems_of(tree)[0].message


def test_rosenberger_needs_a_binary_endpoint() -> None:
    tree = changed("designs/fixed/policies", {"randomisation": "rosenberger"})
    scenario_from(tree)
    del tree["designs"]["fixed"]["tests"]["resp"]
    assert "learns from success rates" in problems_of(tree)[0].message


def test_alike_patients_have_no_covariates() -> None:
    tree = changed("population", DELETE)
    problems = problems_of(tree)
    assert any("the population has no covariates" in problem.message for problem in problems)


WHOLE_LIFE = """
name: n
arms: [control, treatment]
accrual: {poisson: {rate: 20 per month}}
endpoints:
  death: {kind: survival, baseline: {median: 12 months}, effect: {treatment: 0.7}, terminal: true}
  pfs: {kind: survival, baseline: {median: 12 months}, effect: {treatment: 0.7}, detected: visits}
  resp: {kind: binary, rate: 0.3, effect_measure: rate, effect: {treatment: 0.4}, readout: 30 days}
treatment:
  doses: [1, 0.75, 0.5]
  rescue: {probability: 0.4, delay: 1 day, hazard_ratio: {death: 0.5}}
visits: {every: 8 weeks, until: 2 years}
adverse_events:
  rash:
    baseline: {hazard: 0.1 per year}
    effect: {treatment: 2.0}
    severity: {mild: 0.5, severe: 0.5}
    fatal: {severe: 0.1}
    actions: {severe: {reduce: 0.5, discontinue: 0.5}}
dropout: {baseline: {hazard: 0.1 per year}, after: {severe: 2.0}, outcome: {resp: 2.0}}
hypotheses: {primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}}
truths: {expected: {}}
designs:
  fixed:
    kind: fixed
    n: 100
    allocation: alternating
    looks: [{when: {events: 50}}]
    tests: {primary: {alpha: 0.025}}
"""


@pytest.mark.parametrize(
    ("good", "bad", "path"),
    [
        ("every: 8 weeks", "every: 0 days", "visits.every"),
        ("0.5]\n", "0.5]\n  waning: {half_life: 0 days}\n", "treatment.waning.half_life"),
        ("probability: 0.4", "probability: 1.4", "treatment.rescue.probability"),
        ("effect: {treatment: 2.0}", "effect: {treatment: -2.0}", "adverse_events.rash.effect.treatment"),
        ("0.7}, terminal", "0.7}, drift: {per_year: x}, terminal", "endpoints.death.drift.per_year"),
        ("rate: 0.3,", "rate: 1.3,", "endpoints.resp.rate"),
        ("expected: {}", "all: {grid: {}}", "truths.all.grid"),
        ("expected: {}", "all: {grid: {endpoints.resp.rate: []}}", "truths.all.grid.endpoints.resp.rate"),
    ],
)
def test_nothing_is_said_of_what_follows_from_a_bad_value(good: str, bad: str, path: str) -> None:
    text = WHOLE_LIFE
    scenario_from_text(text)
    with pytest.raises(ScenarioError) as caught:
        scenario_from_text(text.replace(good, bad, 1))
    assert [problem.path for problem in caught.value.problems] == [path]


def test_problems_stand_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    wrong = {
        "every: 8 weeks": "every: 0 days",
        "rate: 20": "rate: -1",
        "n: 100": "n: -5",
        "rate: 0.3": "rate: 1.3",
    }
    text = WHOLE_LIFE
    for good, bad in wrong.items():
        text = text.replace(good, bad, 1)
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    lines = [problem.line or 0 for problem in caught.value.problems]
    assert len(lines) > 3
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("place", "written"),
    [(2, "Hi-gh"), (2, "High"), (2, "HIGH!"), (2, "!!"), (1, "lo-w"), (0, "Control"), (0, "con trol")],
)
def test_an_arm_that_cannot_be_a_name_is_not_taken_for_one_beside_it(place: int, written: str) -> None:
    tree = changed(f"arms/{place}", written)
    (problem,) = problems_of(tree)
    assert problem.path == f"arms[{place}]"
    assert "cannot be a name" in problem.message


@pytest.mark.parametrize("written", ["dose-20", "Dose_20", "dose 20"])
def test_a_dose_that_cannot_be_a_name_is_not_taken_for_another_dose(written: str) -> None:
    text = RICH.read_text(encoding="utf-8").replace("low", "dose_10").replace("high", "dose_20")
    tree = parse_yaml(text.replace("dose_20er", "higher").replace("dose_10er", "lower"))
    scenario_from(tree)
    tree["arms"] = ["control", "dose_10", written]
    tree["designs"]["fixed"]["arms"] = ["control", "dose_10", written]
    assert [problem.path for problem in problems_of(tree)] == ["arms[2]", "designs.fixed.arms[2]"]


def test_what_a_design_on_none_that_there_is_may_inherit_is_not_told_as_missing() -> None:
    tree = changed(
        "designs/odd",
        {
            "extends": "nowhere_at_all",
            "bounds": {"futility_z": [0, None]},
            "looks": [{"when": {"calendar": 3}}],
        },
    )
    assert {problem.path for problem in problems_of(tree)} == {
        "designs.odd.extends",
        "designs.odd.looks[0].when.calendar",
    }


def test_keys_that_are_no_text_are_read_as_text() -> None:
    tree = changed("endpoints/odd", {7: 1, "knd": "binary"})
    tree["truths"][7] = {}
    found = {problem.path: problem.message for problem in problems_of(tree)}
    assert "Did you mean 'kind'?" in found["endpoints.odd"]
    assert "'7' cannot be a name" in found["truths.7"]
    tree = rich()
    tree["truths"] |= {"7": {}, 7: {}}
    assert "is written twice" in {problem.path: problem.message for problem in problems_of(tree)}["truths.7"]


def test_what_is_nested_thousands_deep_is_answered() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"all": [deep]}
    tree = rich()
    tree["designs"]["fixed"]["looks"][0]["when"] = deep
    (problem,) = problems_of(tree)
    assert "nested more than 40 levels deep" in problem.message


def test_no_more_problems_are_told_than_a_thousand_and_few_keys_are_respelt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    def closest(word: str, allowed: Any) -> str | None:
        compared.append(word)
        return wording.closest(word, allowed)

    monkeypatch.setattr(spelling, "closest", closest)
    endpoint = {"kind": "binary", "reedout": "1 week", "rat": 0.3, "efect": {}, "effect_measure": "rate"}
    problems = problems_of(
        rich() | {f"unknown_{k}": k for k in range(2000)} | {"endpoints": {"odd": endpoint}}
    )
    assert len(compared) == spelling.MOST_UNKNOWN
    assert len(problems) == 1001
    assert "more problems" in problems[-1].message
