"""Small scenarios of every feature, as hypothesis strategies: times are few and coarse, so that ties are many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.twins.generated_arms import compared_arms, stages
from tests.twins.generated_lives import lives, strategy
from trialsim.timegrid import TICKS_PER_DAY

FOLDER = Path(__file__).resolve().parent
Tree = dict[str, Any]

_ARMS = ("control", "low", "middle", "high", "top")
_NUMERIC = {
    "age": {"normal": {"mean": 50, "sd": 10}},
    "crp": {"log_normal": {"median": 3, "sd_log": 0.8}},
    "lesions": {"poisson": {"mean": 2.1}},
    "fraction": {"beta": {"alpha": 2, "beta": 5}},
}
_CATEGORICAL = {
    "sex": {"categorical": {"female": 0.4, "male": 0.6}},
    "region": {"categorical": {"east": 0.5, "west": 0.3, "north": 0.2}},
}
_LATENT = ("prognosis", "predictive", "toxicity", "adherence", "eligibility")


@dataclass(frozen=True)
class SmallTrial:
    """A scenario of one design as plain data, and how it is run."""

    tree: Tree
    grid: int
    seed: int

    def __repr__(self) -> str:
        """Return the whole as data that can be pasted into a test."""
        return f"SmallTrial(tree={self.tree!r}, grid={self.grid // TICKS_PER_DAY} << 20, seed={self.seed})"


@dataclass(frozen=True)
class _People:
    """What the population offers to predictors and strata."""

    tree: Tree | None
    numeric: tuple[str, ...]
    levels: tuple[str, ...]
    strata: tuple[str, ...]
    latent: tuple[str, ...]


def _days(days: int) -> str:
    return f"{days} days"


@st.composite
def _people(draw: st.DrawFn) -> _People:
    """Draw a population: identical patients, rows of a table, or marginals, with or without latent traits."""
    kind = draw(st.sampled_from(["none", "rows", "marginals", "marginals"]))
    traits = draw(st.lists(st.sampled_from(_LATENT), unique=True, max_size=2)) if kind != "none" else []
    tree: Tree = {"traits": {name: {"sd": 0.7} for name in traits}} if traits else {}
    if kind == "none":
        return _People(None, (), (), (), ())
    if kind == "rows":
        tree |= {
            "resample": "small_rows.csv",
            "columns": {"years": "years", "site": "site", "severe": "severe"},
        }
        levels = ("site.east", "site.west", "site.north")
        return _People(tree, ("years", "severe"), levels, ("site", "severe"), tuple(traits))
    numeric = draw(st.lists(st.sampled_from(sorted(_NUMERIC)), unique=True, max_size=2))
    strata = draw(st.lists(st.sampled_from(sorted(_CATEGORICAL)), unique=True, max_size=2))
    if not numeric and not strata:
        numeric = ["age"]
    tree["marginals"] = {name: (_NUMERIC | _CATEGORICAL)[name] for name in (*numeric, *strata)}
    both = [*numeric, *strata, *traits]
    if len(both) > 1 and draw(st.booleans()):
        tree["correlation"] = {both[0]: {both[-1]: draw(st.sampled_from([-0.5, 0.3, 0.8]))}}
    levels = tuple(f"{name}.{level}" for name in strata for level in _CATEGORICAL[name]["categorical"])
    return _People(tree, tuple(numeric), levels, tuple(strata), tuple(traits))


@st.composite
def _predictor(draw: st.DrawFn, people: _People, modifiers: bool, scale: float) -> Tree:
    """Draw what traits add to an outcome."""
    part: Tree = {}
    names = people.numeric + people.levels
    coefficient = st.sampled_from([-0.4 * scale, 0.03 * scale, 0.5 * scale])
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=2)) if names else []
    if chosen:
        part["covariates"] = {
            name: draw(coefficient) / (20 if name in ("age", "years") else 1) for name in chosen
        }
        part["centre"] = {name: 45 for name in chosen if name in ("age", "years")}
    if people.latent and draw(st.booleans()):
        part["latent"] = {people.latent[0]: draw(coefficient)}
    modifying = tuple(name for name in (*names, *people.latent) if name not in ("age", "years"))
    if modifiers and modifying and draw(st.booleans()):
        part["modifiers"] = {draw(st.sampled_from(modifying)): draw(coefficient)}
    return {key: value for key, value in part.items() if value}


@st.composite
def _baseline(draw: st.DrawFn, unit: int) -> Tree:
    """Draw a baseline hazard; ``unit`` is the grid in days."""
    kind = draw(st.sampled_from(["median", "survival", "hazard", "piecewise", "weibull", "weibull_scale"]))
    span = draw(st.integers(1, 12)) * unit
    if kind == "median":
        return {"median": _days(span)}
    if kind == "survival":
        return {"survival": draw(st.sampled_from([0.2, 0.6, 0.95])), "at": _days(span)}
    if kind == "hazard":
        return {"hazard": f"{1 / span} per day"}
    if kind == "piecewise":
        middle = draw(st.sampled_from([0.0, 0.4, 3.0]))
        return {
            "piecewise": [
                {"from": "0 days", "hazard": f"{1 / span} per day"},
                {"from": _days(2 * unit), "hazard": f"{middle / span} per day"},
                {"from": _days(5 * unit), "hazard": f"{2 / span} per day"},
            ]
        }
    shape = draw(st.sampled_from([0.6, 1.0, 1.7]))
    return {"weibull": {"shape": shape, "median" if kind == "weibull" else "scale": _days(span)}}


@st.composite
def _drift(draw: st.DrawFn, unit: int, binary: bool) -> Tree | None:
    """Draw a calendar drift, or none."""
    kind = draw(st.sampled_from(["none", "none", "none", "per_year", "steps", "probability"]))
    if kind == "none":
        return None
    if kind == "per_year":
        return {"per_year": draw(st.sampled_from([-2.0, 1.5]))}
    steps = [{"from": _days(2 * unit), "change": 0.05}, {"from": _days(6 * unit), "change": -0.1}]
    return {"steps": steps} | ({"scale": "probability"} if kind == "probability" and binary else {})


@st.composite
def _endpoint(draw: st.DrawFn, kind: str, arms: tuple[str, ...], people: _People, unit: int) -> Tree:
    """Draw one endpoint."""
    part: Tree = {"kind": kind}
    if kind == "survival":
        part["baseline"] = draw(_baseline(unit))
        steps = st.sampled_from([0.3, 0.7, 1.0, 1.8])
        changing = draw(st.booleans())
        part["effect"] = {
            arm: (
                [
                    {"from": "0 days", "hazard_ratio": draw(steps)},
                    {"from": _days(3 * unit), "hazard_ratio": draw(steps)},
                ]
                if changing and draw(st.booleans())
                else draw(steps)
            )
            for arm in arms[1:]
        }
        if draw(st.booleans()):
            part["readout"] = _days(draw(st.integers(0, 3)) * unit)
    else:
        part["readout"] = _days(draw(st.integers(1, 5)) * unit)
    if kind == "binary":
        measure = draw(st.sampled_from(["rate", "odds_ratio", "risk_difference"]))
        values = {
            "rate": [0.2, 0.5, 0.8],
            "odds_ratio": [0.5, 1.0, 4.0],
            "risk_difference": [-0.2, 0.0, 0.3],
        }[measure]
        part |= {"rate": draw(st.sampled_from([0.3, 0.6])), "effect_measure": measure}
        part["effect"] = {arm: draw(st.sampled_from(values)) for arm in arms[1:]}
    if kind == "continuous":
        part |= {
            "mean": 10,
            "sd": 3,
            "effect": {arm: draw(st.sampled_from([-1, 0, 2.5])) for arm in arms[1:]},
        }
    predictor = draw(_predictor(people, modifiers=True, scale=3.0 if kind == "continuous" else 1.0))
    part |= predictor
    if predictor:
        constant = all(isinstance(effect, (int, float)) for effect in part["effect"].values())
        rare = constant and draw(st.integers(0, 7)) == 7
        part["effect_kind"] = "marginal" if rare else "conditional"
    drift = draw(_drift(unit, kind == "binary"))
    if drift is not None:
        part["drift"] = drift
    return part


@st.composite
def _accrual(draw: st.DrawFn, n: int, unit: int) -> tuple[Tree, int]:
    """Draw an accrual and the days in which about ``n`` patients come."""
    over = draw(st.integers(1, 14)) * unit
    kind = draw(
        st.sampled_from(["evenly_spaced", "spaced_by_rate", "uniform", "poisson", "piecewise", "empty_piece"])
    )
    if kind in ("evenly_spaced", "uniform"):
        return {kind: {"over": _days(over)}}, over
    if kind == "spaced_by_rate":
        return {"evenly_spaced": {"rate": f"{n / over} per day"}}, over
    if kind == "poisson":
        return {"poisson": {"rate": f"{n / over} per day"}}, over
    first = 0.0 if kind == "empty_piece" else 0.5 * n / over
    rates = [
        {"from": "0 days", "rate": f"{first} per day"},
        {"from": _days(2 * unit), "rate": f"{2 * n / over} per day"},
        {"from": _days(4 * unit), "rate": f"{n / over} per day"},
    ]
    return {
        "piecewise": {"rates": rates, "arrivals": draw(st.sampled_from(["poisson", "evenly_spaced"]))}
    }, over + 4 * unit


@st.composite
def _leaf(draw: st.DrawFn, tree: Tree, place: float, n: int, span: int, unit: int, first: bool) -> Tree:
    """Draw a single trigger that is due when about a share ``place`` of the trial is over."""
    endpoints = tree["endpoints"]
    kinds = ["enrolled", "calendar"] + ([] if first else ["gap"])
    kinds += ["events"] * 3 * any(part["kind"] == "survival" for part in endpoints.values())
    kinds += ["readouts"] * 3 * any(part["kind"] != "survival" for part in endpoints.values())
    kind = draw(st.sampled_from(kinds))
    count = max(1, min(n, round(place * n) + draw(st.integers(-1, 1))))
    if kind == "enrolled":
        return {"enrolled": count}
    if kind == "calendar":
        return {"calendar": _days(max(1, round(place * span / unit)) * unit)}
    if kind == "gap":
        return {"gap": _days(draw(st.integers(1, 3)) * unit)}
    suited = [name for name, part in endpoints.items() if (part["kind"] == "survival") == (kind == "events")]
    counted: Tree = {"count": count, "endpoint": draw(st.sampled_from(sorted(suited)))}
    if draw(st.integers(0, 2)) == 2:
        arms = tree["designs"]["only"].get("arms", tree["arms"])
        counted["arms"] = draw(st.lists(st.sampled_from(arms), unique=True, min_size=1, max_size=2))
        counted["count"] = max(1, count // 2)
    if draw(st.integers(0, 3)) == 3:
        counted["open_arms"] = "together"
    elif draw(st.integers(0, 3)) == 3:
        in_all = counted.get("arms", tree["designs"]["only"].get("arms", tree["arms"]))
        counted |= {"open_arms": "each", "count": max(1, count // len(in_all))}
    return {kind: counted}


@st.composite
def _look(draw: st.DrawFn, tree: Tree, number: int, looks: int, span: int, unit: int) -> Tree:
    """Draw one look."""
    n = tree["designs"]["only"]["n"]
    place = (number + 1) / looks
    leaf = _leaf(tree, place, n, span, unit, number == 0)
    shape = draw(st.sampled_from(["leaf", "leaf", "all", "any", "nested"]))
    if shape == "leaf":
        when = draw(leaf)
    else:
        when = {"any" if shape == "any" else "all": [draw(leaf), draw(leaf)]}
        if shape == "nested":
            when["all"][1] = {"any": [draw(leaf), draw(leaf)]}
    when = dict(when)
    if draw(st.integers(0, 3)) == 3:
        when["no_later_than"] = _days(max(1, round(place * span / unit) + draw(st.integers(-1, 2))) * unit)
    look: Tree = {"when": when}
    if draw(st.booleans()):
        look["cleaning_lag"] = _days(draw(st.integers(0, 3)) * unit)
    if draw(st.booleans()):
        look["decision_lag"] = _days(draw(st.integers(0, 3)) * unit)
    return look


@st.composite
def _allocation(draw: st.DrawFn, arms: tuple[str, ...], people: _People) -> Any:
    """Draw an allocation rule."""
    kinds = [
        "alternating",
        "simple",
        "permuted_blocks",
        "stratified_permuted_blocks",
        "minimisation",
        "minimisation",
    ]
    kind = draw(st.sampled_from(kinds + ["biased_coin"] * 3 * (len(arms) == 2)))
    if kind == "stratified_permuted_blocks" and not people.strata:
        kind = "permuted_blocks"
    ratio = {arm: draw(st.integers(1, 3)) for arm in arms} if draw(st.booleans()) else None
    if kind in ("alternating", "simple"):
        return kind if ratio is None else {kind: {"ratio": ratio}}
    if kind in ("minimisation", "biased_coin"):
        return {kind: draw(_balance(kind, people)) | ({} if ratio is None else {"ratio": ratio})}
    rule: Tree = {"size": (sum(ratio.values()) if ratio else len(arms)) * draw(st.integers(1, 2))}
    if ratio is not None:
        rule["ratio"] = ratio
    if kind == "stratified_permuted_blocks":
        rule["strata"] = draw(st.lists(st.sampled_from(people.strata), unique=True, min_size=1))
    return {kind: rule}


@st.composite
def _balance(draw: st.DrawFn, kind: str, people: _People) -> Tree:
    """Draw the options of an allocation that favours arms."""
    some = st.lists(st.sampled_from(people.strata), unique=True) if people.strata else st.just([])
    if kind == "biased_coin":
        return {"strata": draw(some), "probability": draw(st.sampled_from([0.5, 2 / 3, 1.0]))}
    rule: Tree = {"factors": draw(some), "measure": draw(st.sampled_from(["range", "variance", "sd"]))}
    if draw(st.booleans()):
        rule["probability"] = draw(st.sampled_from([0.6, 0.95, 1.0]))
    if rule["factors"] and draw(st.booleans()):
        rule["weights"] = {rule["factors"][0]: draw(st.integers(1, 4))}
    return rule


@st.composite
def _hypotheses(draw: st.DrawFn, tree: Tree, arms: tuple[str, ...], people: _People) -> Tree:
    """Draw one to four hypotheses, most of them of an experimental arm against control."""
    found: Tree = {}
    for number in range(draw(st.integers(1, 4))):
        endpoint = draw(st.sampled_from(sorted(tree["endpoints"])))
        kind = tree["endpoints"][endpoint]["kind"]
        analysis: Any = {"survival": "logrank", "binary": "score_test", "continuous": "t_test"}[kind]
        if kind == "survival":
            stratified = people.strata and draw(st.integers(0, 2)) == 2
            analysis = (
                {"logrank": {"strata": [people.strata[0]]}}
                if stratified
                else draw(st.sampled_from(["logrank", "cox"]))
            )
        if kind == "continuous" and draw(st.booleans()):
            analysis = {"z_test": {"sd": 3}}
        pair = [draw(st.sampled_from(arms[1:])), arms[0]]
        if draw(st.integers(0, 7)) == 7:
            pair = draw(st.lists(st.sampled_from(arms), unique=True, min_size=2, max_size=2))
        direction = draw(st.sampled_from(["lower", "higher"]))
        found[f"h{number}"] = {
            "endpoint": endpoint,
            "arms": pair,
            "analysis": analysis,
            "direction": direction,
        }
    return found


@st.composite
def _bounds(draw: st.DrawFn, looks: int) -> Tree:
    """Draw bounds low enough to be crossed at any look."""
    efficacy: list[float | None] = [draw(st.sampled_from([None, 3.0, 1.5, 0.5])) for _ in range(looks - 1)]
    bounds: Tree = {"efficacy_z": [*efficacy, draw(st.sampled_from([0.3, 1.5]))]}
    if draw(st.booleans()):
        bounds["futility_z"] = [draw(st.sampled_from([None, -1.0, 0.0, 0.3])) for _ in range(looks)]
    return bounds


@st.composite
def _delay(draw: st.DrawFn, unit: int) -> Any:
    """Draw how long something takes: a few steps of the grid, often one."""
    few, more = draw(st.integers(0, 2)) * unit, draw(st.integers(3, 6)) * unit
    return draw(
        st.sampled_from(
            [
                _days(few),
                _days(more),
                {"uniform": {"from": _days(few), "to": _days(more)}},
                {"exponential": {"mean": _days(more)}},
                {"log_normal": {"median": _days(more), "sd_log": 0.7}},
                {"weibull": {"shape": 1.4, "scale": _days(more)}},
            ]
        )
    )


@st.composite
def _chance(draw: st.DrawFn, people: _People) -> Tree:
    """Draw a probability that may depend on traits."""
    chance: Tree = {"probability": draw(st.sampled_from([0.3, 0.7, 0.9]))}
    return chance | draw(_predictor(people, modifiers=False, scale=1.0))


@st.composite
def _sites(draw: st.DrawFn, n: int, unit: int) -> tuple[Tree, int]:
    """Draw groups of sites in which as many candidates as patients come within some steps of the grid."""
    over = draw(st.integers(4, 20)) * unit
    groups: Tree = {}
    for name in ("north", "south")[: draw(st.integers(1, 2))]:
        group: Tree = {"count": draw(st.integers(1, 3)), "rate": f"{n / over} per day"}
        if draw(st.booleans()):
            group["rate_shape"] = 1.3
        if draw(st.booleans()):
            group["activation"] = draw(_delay(unit))
        if draw(st.booleans()):
            group["ramp_up"] = {"from": draw(st.sampled_from([0.0, 0.4])), "over": _days(3 * unit)}
        if draw(st.booleans()):
            group["drift"] = {"per_year": draw(st.sampled_from([-2.0, 1.0]))}
        if draw(st.booleans()):
            group["competing"] = [{"from": _days(2 * unit), "share": 0.3}]
        if draw(st.booleans()):
            group["coordinators"] = draw(st.integers(1, 3))
        if draw(st.integers(0, 2)) == 2:
            group["backlog"] = draw(st.integers(1, 8))
        if draw(st.booleans()):
            group["cap"] = (
                draw(st.sampled_from([1, 2, 3, n])) if draw(st.booleans()) else draw(st.integers(1, n))
            )
        if draw(st.integers(0, 2)) == 2:
            group["closes"] = _days(draw(st.integers(2, 16)) * unit)
        if draw(st.integers(0, 3)) == 3:
            group["never_opens"] = 0.3
        groups[name] = group
    if all("cap" in group for group in groups.values()):
        groups["north"].pop("cap")
    return {"sites": groups}, over


@st.composite
def _screening(draw: st.DrawFn, people: _People, unit: int) -> Tree:
    """Draw a candidate's way."""
    part: Tree = {"when_enrolment_closes": draw(st.sampled_from(["release", "keep"]))}
    for name in ("prescreen", "eligible"):
        if draw(st.booleans()):
            part[name] = draw(_chance(people))
    if draw(st.booleans()):
        part["consent"] = draw(_chance(people)) | {"duration": draw(_delay(unit))}
    for name in ("patience", "duration", "lag"):
        if draw(st.booleans()):
            part[name] = draw(_delay(unit))
    if draw(st.booleans()):
        part["window"] = _days(draw(st.integers(2, 8)) * unit)
    if draw(st.booleans()):
        part["reasons"] = {"laboratory": 2, "imaging": 1}
    if draw(st.booleans()):
        part["rescreening"] = {
            "probability": 0.6,
            "after": draw(_delay(unit)),
            "eligible": 0.7,
            "attempts": draw(st.integers(1, 3)),
        }
    part["wrongly_randomised"] = draw(st.sampled_from([0.0, 0.3]))
    part["stratum_errors"] = draw(st.sampled_from([0.0, 0.2]))
    if people.strata and draw(st.booleans()):
        part["subgroup"] = people.strata[0]
    return part


@st.composite
def _costs(draw: st.DrawFn, tree: Tree) -> Tree:
    """Draw prices of what happens in the world, with or without discount."""
    names = ["patient", "patient_month", "look", "trial_month"]
    names += ["site_activation", "site_month", "prescreen", "screen"] * ("sites" in tree["accrual"])
    names += ["consent"] * ("consent" in tree.get("screening", {})) + ["visit"] * ("visits" in tree)
    names += ["adverse_event", "serious_adverse_event"] * ("adverse_events" in tree)
    prices = st.sampled_from([0.1, 7, 1234.5])
    part: Tree = {name: draw(prices) for name in names if draw(st.integers(0, 3))} or {"patient": 1}
    return part | {"discount": draw(st.sampled_from(["0 per year", "3% per year", "0.01 per week"]))}


@st.composite
def small_trials(draw: st.DrawFn, sites: bool | None = None) -> SmallTrial:
    """Draw a scenario with one design under one truth, with or without sites where that is asked for."""
    unit = draw(st.sampled_from([1, 7, 30]))
    arms = _ARMS[: draw(st.sampled_from([2, 2, 3, 4, 5]))]
    people = draw(_people())
    tree: Tree = {"name": "small", "arms": list(arms), "truths": {"world": {}}}
    if people.tree is not None:
        tree["population"] = people.tree
    kinds = draw(
        st.lists(st.sampled_from(["survival", "survival", "binary", "continuous"]), min_size=1, max_size=3)
    )
    tree["endpoints"] = {f"e{i}": draw(_endpoint(kind, arms, people, unit)) for i, kind in enumerate(kinds)}
    if draw(st.booleans()):
        dropout: Tree = {"baseline": draw(_baseline(unit * draw(st.sampled_from([1, 4]))))}
        if draw(st.booleans()):
            dropout["effect"] = {arms[-1]: 1.8}
        predictor = draw(_predictor(people, modifiers=False, scale=1.0))
        tree["dropout"] = dropout | predictor
    living = draw(st.integers(0, 2)) == 2
    if living:
        tree |= draw(lives(tree, arms, people.latent, unit))
    chosen = arms
    if len(arms) > 2 and not living and draw(st.integers(0, 3)) == 3:
        chosen = (arms[0], *draw(st.lists(st.sampled_from(arms[1:]), unique=True, min_size=1, max_size=3)))
    n = draw(st.integers(max(4, len(chosen)), 40))
    with_sites = draw(st.booleans()) if sites is None else sites
    if with_sites:
        tree["accrual"], over = draw(_sites(n, unit))
        if draw(st.integers(0, 3)):
            tree["screening"] = draw(_screening(people, unit))
        for endpoint in tree["endpoints"].values():
            marginal = endpoint.get("effect_kind") == "marginal" and endpoint["kind"] != "continuous"
            if draw(st.integers(0, 3)) == 3 and not marginal:
                endpoint["site"] = {"sd": 0.4, "treatment_sd": 0.2}
    else:
        tree["accrual"], over = draw(_accrual(n, unit))
    if draw(st.booleans()):
        tree["costs"] = draw(_costs(tree))
    span = over + draw(st.integers(1, 12)) * unit
    short = draw(st.integers(0, 3)) == 3
    tree["horizon"] = _days(over + draw(st.integers(1, 10)) * unit if short else 20 * span)
    selecting = len(chosen) > 2 and draw(st.booleans())
    tree["hypotheses"] = draw(
        compared_arms(tree, chosen, people.strata) if selecting else _hypotheses(tree, chosen, people)
    )
    if living:
        shared = draw(strategy(tree, next(iter(tree["hypotheses"].values()))["endpoint"]))
        for hypothesis in tree["hypotheses"].values():
            hypothesis["strategy"] = shared if selecting else draw(strategy(tree, hypothesis["endpoint"]))
    looks = draw(st.integers(1, 4))
    design: Tree = {"kind": "group_sequential", "n": n, "allocation": draw(_allocation(chosen, people))}
    if chosen != arms:
        design["arms"] = list(chosen)
    tree["designs"] = {"only": design}
    design["looks"] = [draw(_look(tree, k, looks, span, unit)) for k in range(looks)]
    design["tests"] = {name: {"alpha": 0.025} for name in tree["hypotheses"]}
    if selecting:
        design |= draw(stages(looks, tree)) | {"kind": "multi_arm_multi_stage"}
        return SmallTrial(tree, unit * TICKS_PER_DAY, draw(st.sampled_from([1, 2, 20260101])))
    design["bounds"] = draw(_bounds(looks))
    if draw(st.booleans()):
        every = {"enrolled": draw(st.integers(1, max(1, n // 2)))}
        design["reviews"] = {
            "every": every if draw(st.booleans()) else {"calendar": _days(draw(st.integers(1, 6)) * unit)}
        }
    binary = any(tree["endpoints"][h["endpoint"]]["kind"] == "binary" for h in tree["hypotheses"].values())
    policies: Tree = {}
    if binary and draw(st.booleans()):
        policies["randomisation"] = "rosenberger"
    policy = draw(st.sampled_from(["default", "bounds", "drop_arms"]))
    if policy == "drop_arms" and looks > 1 and len(chosen) > 2:
        policies["stopping"] = {
            "drop_arms": {
                "look": draw(st.integers(1, looks - 1)),
                "keep": draw(st.integers(1, len(chosen) - 2)),
            }
        }
    elif policy != "default":
        rule = {
            "stop_when": draw(st.sampled_from(["all", "any"])),
            "futility": draw(st.sampled_from(["follow", "ignore"])),
        }
        policies["stopping"] = {"bounds": rule}
    if with_sites and draw(st.booleans()):
        name = draw(st.sampled_from([*people.numeric, *people.levels])) if people.numeric else None
        if name and "randomisation" in policies:  # ranking makes drift, of which the analysis must know
            plain = [h for h in tree["hypotheses"].values() if h["analysis"] == "score_test"]
            name = name if len(plain) == len(tree["hypotheses"]) else None
            for hypothesis in plain if name else ():
                hypothesis["analysis"] = "cmh_by_period"
        policies["recruitment"] = {"by_covariate": {"covariate": name}} if name else "random"
    for slot in ("randomisation", "stopping"):
        if slot in policies and (slot == "randomisation" or looks > 1) and draw(st.booleans()):
            chances = {
                "delay": draw(st.sampled_from([0.0, 0.4])),
                "override": draw(st.sampled_from([0.0, 0.4])),
            }
            policies[slot] = {"human_in_the_loop": {"policy": policies[slot], **chances}}
    if policies:
        design["policies"] = policies
    return SmallTrial(tree, unit * TICKS_PER_DAY, draw(st.sampled_from([1, 2, 20260101])))
