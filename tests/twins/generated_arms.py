"""Small multi-arm multi-stage designs, as hypothesis strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Tree = dict[str, Any]

_ANALYSES = {
    "survival": ["logrank"],
    "binary": ["score_test", "fisher"],
    "continuous": ["t_test", {"z_test": {"sd": 3}}],
}
_RULES: list[Any] = [
    None,
    "keep_all",
    "select_best",
    {"select_best": {"measure": "z"}},
    {"drop_the_losers": {"keep": 1}},
    {"within_epsilon": {"epsilon": 0.4}},
    {"within_epsilon": {"epsilon": 0.0, "measure": "z"}},
    {"all_promising": {"threshold": 0.1}},
    {"all_promising": {"threshold": -0.5, "measure": "z"}},
]


@st.composite
def compared_arms(draw: st.DrawFn, tree: Tree, arms: tuple[str, ...], strata: tuple[str, ...]) -> Tree:
    """Draw hypotheses that compare every arm with control alike."""
    endpoint = draw(st.sampled_from(sorted(tree["endpoints"])))
    kind = tree["endpoints"][endpoint]["kind"]
    analysis: Any = draw(st.sampled_from(_ANALYSES[kind]))
    if kind == "survival" and strata and draw(st.booleans()):
        analysis = {"logrank": {"strata": [strata[0]]}}
    direction = draw(st.sampled_from(["lower", "higher"]))
    order = draw(st.permutations(arms[1:]))
    return {
        f"h{number}": {
            "endpoint": endpoint,
            "arms": [arm, arms[0]],
            "analysis": analysis,
            "direction": direction,
        }
        for number, arm in enumerate(order)
    }


@st.composite
def stages(draw: st.DrawFn, looks: int, tree: Tree) -> Tree:
    """Draw what a multi-arm multi-stage design says beyond its looks."""
    endpoint = next(iter(tree["hypotheses"].values()))["endpoint"]
    part = draw(_combined(looks))
    others = sorted(set(tree["endpoints"]) - {endpoint})
    if looks > 1 and tree["endpoints"][endpoint]["kind"] == "survival" and draw(st.booleans()):
        part |= draw(_split_by_patients(looks, tree, fisher="combination" in part))
        if part.get("information", 0) is None:
            part.pop("information")
        split = part["stages"]["patient_wise"]
        if "combination" not in part and _leaves_something(tree, split) and draw(st.booleans()):
            share = st.sampled_from([0.2, 0.5, 0.9])
            split["interim_information"] = [draw(share) for _ in range(looks - 1)]
            part["bounds"]["efficacy_z"][0] = 1.0
        elif "bounds" in part:
            part["bounds"] = {"efficacy_z": [*[None] * (looks - 1), 0.3]}
    rule = part.get("selection")
    if isinstance(rule, dict) and others and draw(st.booleans()):
        ((name, options),) = rule.items()
        by = {
            "endpoint": draw(st.sampled_from(others)),
            "direction": draw(st.sampled_from(["lower", "higher"])),
        }
        part["selection"] = {name: {**options, "by": by}}
        part.setdefault("stages", "increments")
    return part


@st.composite
def _split_by_patients(draw: st.DrawFn, looks: int, tree: Tree, *, fisher: bool) -> Tree:
    """Draw to what end the patients of each stage are followed."""
    horizon = float(tree["horizon"].split()[0])
    if draw(st.booleans()):
        shares = st.sampled_from([0.1, 0.3, 0.5, 0.8])
        days = [f"{max(draw(shares) * horizon, 1e-3):.4f} days" for _ in range(looks)]
        part: Tree = {"stages": {"patient_wise": {"calendar": days}}}
        return part | (
            {"combination": "fisher"}
            if fisher
            else {"information": [(look + 1) / looks for look in range(looks)]}
        )
    most = max(1, tree["designs"]["only"]["n"] // looks)
    events = [draw(st.integers(1, min(most, 6))) for _ in range(looks)]
    part = {"stages": {"patient_wise": {"events": events}}}
    return part | ({"combination": "fisher"} if fisher else {"information": None})


def _leaves_something(tree: Tree, split: Tree) -> bool:
    """Return whether the first stage does not end with the events that its look waits for."""
    wanted = tree["designs"]["only"]["looks"][0]["when"].get("events", 0)
    wanted = wanted["count"] if isinstance(wanted, dict) else wanted
    return bool(wanted < split.get("events", [10**6])[0])


@st.composite
def _combined(draw: st.DrawFn, looks: int) -> Tree:
    """Draw how stages and arms are tested together, and which arms go on."""
    part: Tree = {"intersection_test": draw(st.sampled_from(["dunnett", "dunnett", "simes", "bonferroni"]))}
    rule = draw(st.sampled_from(_RULES)) if looks > 1 else None
    if rule is not None:
        part["selection"] = rule
    rule = {
        "stop_when": draw(st.sampled_from(["all", "any"])),
        "futility": draw(st.sampled_from(["follow", "ignore"])),
    }
    part["policies"] = {"stopping": {"bounds": rule}}
    if draw(st.integers(0, 2)) == 2:
        part["combination"] = {"fisher": {"futility_p": draw(st.sampled_from([0.5, 0.8, 1.0]))}}
        return part
    part["information"] = [(look + 1) / looks for look in range(looks)]
    efficacy = [draw(st.sampled_from([None, 1.5, 0.5])) for _ in range(looks - 1)]
    part["bounds"] = {"efficacy_z": [*efficacy, draw(st.sampled_from([0.3, 1.5]))]}
    if draw(st.booleans()):
        part["bounds"]["futility_z"] = [draw(st.sampled_from([None, -1.0, 0.0, 0.3])) for _ in range(looks)]
    return part
