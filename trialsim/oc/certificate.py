"""Certificates: what null trials that nobody has seen show of a design's error, bound to scenario, design and policies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from trialsim.engines.runner import run
from trialsim.errors import ScenarioError, UsageError, require_whole
from trialsim.oc.calibration import TAIL, Point
from trialsim.oc.montecarlo import upper_limit
from trialsim.oc.null_truths import is_null_throughout, null_hypotheses
from trialsim.replicate_ranges import CERTIFICATION, require_within
from trialsim.scenario.drift_advice import RANK_NOBODY
from trialsim.scenario.inner_policies import inner_policies
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import listed

FEWEST = 50_000
"""Trials at each point without which a certificate does not count."""

MARGIN = 1.2
"""How far above the level of its design a certificate's target may lie, as a factor.

An error that is exactly the level cannot be shown to be at or below it: with so many trials, simultaneous limits over a
dozen points lie some tenth above an error of 0.025, a fifth above one of 0.005.
"""

ROOM = 1 << 27
"""Trials set aside for an attempt, used or not, so that no two attempts share one however many each takes."""

MOST_ATTEMPTS = len(CERTIFICATION) // ROOM
"""Attempts for which there are trials."""

PROGNOSIS = "prognosis"
"""The latent trait of which more is better, by its name."""

GATED = ("randomisation", "stopping")
"""Slots in which a learned policy needs a certificate: it may change an error."""


@dataclass(frozen=True)
class Certificate:
    """What was found.

    Parameters
    ----------
    scenario, scenario_digest, design
        What it is of.
    policies
        Digests of the checkpoints that the design names, by slot.
    target
        Largest probability of rejecting any true null hypothesis that is allowed.
    seed, first_replicate, attempt, attempts
        Whose trials were used; each attempt has trials and a share of the level of its own.
    points
        Share of trials that reject, its upper limit and the number of trials, by truth, and by who is called first where
        candidates are ranked.
    left_out
        Truths of the scenario under which all hypotheses of the design are null and that were not tried.
    """

    scenario: str
    scenario_digest: str
    design: str
    policies: Mapping[str, str]
    target: float
    seed: int
    first_replicate: int
    attempt: int
    attempts: int
    points: tuple[Point, ...]
    left_out: tuple[str, ...]

    @property
    def controlled(self) -> bool:
        """Whether every simultaneous upper limit is at or below the target, without margin."""
        return all(point.upper <= self.target for point in self.points)

    @property
    def verdict(self) -> str:
        """What may be said, of these points and of no others."""
        names = listed(point.truth for point in self.points)
        if self.controlled:
            return f"controlled at {self.target:g} under {names}"
        return f"at most {max(point.upper for point in self.points):.4f} under {names}: not controlled at {self.target:g}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"controlled": self.controlled, "verdict": self.verdict}


def learned_policies(scenario: Scenario, design: str) -> dict[str, str]:
    """Return the digests of the checkpoints that a design names, by slot, policies inside policies included."""
    found = {}
    for slot, (_, parameters) in scenario.designs[design].policies.items():
        digest = _digest_in(parameters)
        if digest is not None:
            found[slot] = digest
    return found


def _digest_in(parameters: Mapping[str, Any]) -> str | None:
    """Return the digest of a checkpoint in the parameters of a policy."""
    if "checkpoint" in parameters:
        return str(parameters.get("digest"))
    for _, _, own in inner_policies(parameters):
        if (found := _digest_in(own)) is not None:
            return found
    return None


def certify(
    scenario: Scenario,
    design: str,
    truths: Sequence[str] | None,
    target: float,
    trials: int = FEWEST,
    attempt: int = 1,
    attempts: int = 1,
    seed: int = 1,
    workers: int = 1,
) -> Certificate:
    """Return the certificate of a design.

    Parameters
    ----------
    scenario, design
        What is certified.
    truths
        Under which, each with a true null hypothesis; None for all under which every hypothesis of the design is null. A
        certificate that leaves out one of those does not count.
    target
        Largest probability of rejecting a true null hypothesis.
    trials
        Under each truth.
    attempt, attempts
        Which attempt this is, of how many that share the level.
    seed, workers
        Of the trials, and processes.

    Raises
    ------
    UsageError
        If there is no null hypothesis to certify, or no trials for that attempt.
    ScenarioError
        If a marginal effect cannot be solved for.
    """
    require_whole("attempt", attempt, 1, MOST_ATTEMPTS)
    if truths is None:
        every = list(scenario.designs[design].tests)
        nulls = {each: every for each in scenario.truths if is_null_throughout(scenario, design, each)}
    else:
        nulls = {each: null_hypotheses(scenario, design, each) for each in truths}
    points = list(nulls)
    without = [truth for truth in points if not nulls[truth]]
    if without:
        raise UsageError(
            f"{design}: no tested hypothesis is null under {listed(without)}; nothing can be certified there"
        )
    if not points:
        raise UsageError(
            f"{design}: there is no truth under which all of its hypotheses are null; name truths with --truths"
        )
    worlds = {"": scenario, **_in_order_of_prognosis(scenario, design)}
    tail = TAIL / (len(points) * len(worlds) * attempts)
    first = CERTIFICATION.start + (attempt - 1) * ROOM
    require_within(range(first, min(first + ROOM, CERTIFICATION.stop)), first, trials, "certify")
    rejected = {f"{truth}{order}": 0 for truth in points for order in worlds}
    for order, world in worlds.items():

        def keep(tables: dict[str, pa.Table], order: str = order) -> None:
            table = tables["trials"]
            truth = table["truth"][0].as_py()
            # A failed replicate rejects a true null: the records say so.
            held = np.stack([table[f"reject:{test}"].to_numpy() for test in nulls[truth]], axis=1)
            rejected[f"{truth}{order}"] += int(held.any(axis=1).sum())

        run(world, [design], points, trials, seed, "fast", workers, keep, first=first)
    found = tuple(
        Point(truth, count / trials, upper_limit(count, trials, tail), trials)
        for truth, count in rejected.items()
    )
    return Certificate(
        scenario.name,
        scenario.digest(),
        design,
        learned_policies(scenario, design),
        target,
        seed,
        first,
        attempt,
        attempts,
        found,
        () if truths is None else _left_out(scenario, design, points),
    )


def refuse_spent(scenario: Scenario, design: str, path: Path, attempt: int, attempts: int) -> None:
    """Refuse an attempt whose trials, or whose share of the level, were spent before.

    Parameters
    ----------
    scenario, design
        What is to be certified.
    path
        Where the certificate is kept, if there is one already.
    attempt, attempts
        Which attempt is to be made, of how many.

    Raises
    ------
    UsageError
        If there is a certificate, unless it is of the same and of an earlier one of as many attempts.
    """
    if not path.exists():
        return
    advice = "remove the file only if the scenario or the policy is another one"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        before, planned = int(found["attempt"]), int(found["attempts"])
        known = (found["scenario_digest"], found["design"], found["policies"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{path} is there already and cannot be read; {advice}") from None
    if known != (scenario.digest(), design, learned_policies(scenario, design)):
        raise UsageError(
            f"{path} is there already, of another scenario, design or policy: remove it to certify this one"
        )
    if planned != attempts or before >= attempt:
        raise UsageError(
            f"{path} is there already: attempt {before} of {planned} has spent its trials and its share of the level. "
            f"A further attempt is planned with the first (--attempts 2) and made with --attempt 2; {advice}"
        )


def _in_order_of_prognosis(scenario: Scenario, design: str) -> dict[str, Scenario]:
    """Return the scenario with its candidates called the best prognosis first, and the worst, by what to add to a truth.

    A ranker makes drift, which allocation that follows outcomes turns into errors; nothing orders prognosis more than
    these: by each latent trait on which a tested outcome depends, and by what the records say of it. There are none where
    nobody is ranked, allocation follows no outcome, or no tested outcome depends on who the patient is.
    """
    policies = scenario.designs[design].policies
    if policies["recruitment"][0] in RANK_NOBODY or policies["randomisation"][0] == "by_design":
        return {}
    found = {}
    for order, recruitment in _orders(scenario, design).items():
        changed = scenario.designs[design].model_copy(
            update={"policies": policies | {"recruitment": recruitment}}
        )
        found[order] = scenario.model_copy(update={"designs": dict(scenario.designs) | {design: changed}})
    return found


def _orders(scenario: Scenario, design: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return the rankings by which candidates are called in order of prognosis, by what to add to a truth."""
    names = dict.fromkeys(scenario.hypotheses[test].endpoint for test in scenario.designs[design].tests)
    endpoints = {name: scenario.endpoints[name] for name in names if name in scenario.endpoints}
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for trait in dict.fromkeys(t for each in endpoints.values() for t in getattr(each, "latent", {})):
        first, last = ("best", "worst") if trait == PROGNOSIS else (f"highest {trait}", f"lowest {trait}")
        found[f", {first} first"] = "oracle", {"reads": trait}
        found[f", {last} first"] = "adversarial", {"reads": trait}
    for name, endpoint in endpoints.items():
        covariates = getattr(endpoint, "covariates", {})
        if not covariates:
            continue
        # A continuous outcome in standard deviations, so that the logistic curve tells all candidates apart.
        scale = getattr(endpoint, "sd", 1.0)
        for which, sign in (("highest", 1.0), ("lowest", -1.0)):
            chance = {
                "probability": 0.5,
                "covariates": {key: sign * value / scale for key, value in covariates.items()},
                "centre": dict(endpoint.centre),
            }
            found[f", {which} {name} by the records first"] = "expected_completion", {"prognostic": chance}
    return found


def _left_out(scenario: Scenario, design: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return the truths that are not named and under which all hypotheses of a design are null."""
    found = []
    for truth in scenario.truths:
        try:
            if truth not in named and is_null_throughout(scenario, design, truth):
                found.append(truth)
        except ScenarioError:  # no trial can be run there
            continue
    return tuple(found)


def file_of(scenario_file: Path, design: str) -> Path:
    """Return where the certificate of a design lies: beside the scenario."""
    return scenario_file.with_name(f"{scenario_file.stem}.{design}.certificate.json")


def needs_certificate(scenario: Scenario, design: str) -> bool:
    """Return whether a design has a learned policy that may change an error."""
    learned = learned_policies(scenario, design)
    return any(slot in learned for slot in GATED)


def level_of(scenario: Scenario, design: str) -> float:
    """Return the probability of rejecting any true null that a design allows itself; by Bonferroni if tests are apart."""
    chosen = scenario.designs[design]
    levels = [test.alpha for test in chosen.tests.values()]
    shared = chosen.kind == "multi_arm_multi_stage" or chosen.multiplicity is not None
    return max(levels) if shared else sum(levels)


def certificates_in_force(scenario: Scenario, scenario_file: Path, designs: Sequence[str]) -> list[str]:
    """Return a sentence for each design whose certificate counts: what was certified, and in which file it stands.

    Parameters
    ----------
    scenario, scenario_file, designs
        As of :func:`missing_certificates`.
    """
    sentences = []
    for design in designs:
        path = file_of(scenario_file, design)
        if not needs_certificate(scenario, design) or missing_certificates(scenario, scenario_file, [design]):
            continue
        content = path.read_bytes()
        verdict = json.loads(content)["verdict"]
        sentences.append(
            f"designs.{design}: rejecting a true null is {verdict}; nothing is claimed of other truths "
            f"({path.name}, SHA-256 {hashlib.sha256(content).hexdigest()})"
        )
    return sentences


def missing_certificates(scenario: Scenario, scenario_file: Path, designs: Sequence[str]) -> list[str]:
    """Return a sentence for each design whose learned policies may change an error and that has no good certificate.

    Parameters
    ----------
    scenario, scenario_file
        The scenario, and where it came from.
    designs
        That are asked for.
    """
    sentences = []
    for design in designs:
        learned = learned_policies(scenario, design)
        if not needs_certificate(scenario, design):
            continue
        why = _why_not(scenario, design, learned, file_of(scenario_file, design))
        if why is not None:
            named = " and ".join(slot for slot in GATED if slot in learned)
            sentences.append(f"designs.{design}: its learned {named} {why}")
    return sentences


def _why_not(scenario: Scenario, design: str, learned: Mapping[str, str], path: Path) -> str | None:
    """Return why a certificate does not count; None where it does."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        points = [(point["upper"], point["n"]) for point in found["points"]]
        verdict = found["verdict"]
        if found["scenario_digest"] != scenario.digest() or found["design"] != design:
            return f"has a certificate ({path.name}) of another scenario or design"
        if found["policies"] != dict(learned):
            return f"has a certificate ({path.name}) of another policy"
        if not points or min(n for _, n in points) < FEWEST:
            return f"has a certificate ({path.name}) from fewer than {FEWEST:,} trials a truth"
        if found["left_out"]:
            return f"has a certificate ({path.name}) that leaves out {listed(found['left_out'])}, which is null as well"
        if max(upper for upper, _ in points) > found["target"]:
            return f"failed its certification ({path.name}): {verdict}"
        level = level_of(scenario, design)
        if found["target"] > MARGIN * level * (1 + 1e-9):
            return (
                f"has a certificate ({path.name}) of an error of at most {found['target']:g}, and its tests have the "
                f"level {level:g}: it counts up to a target of {MARGIN * level:g}"
            )
    except OSError:
        return f"has no certificate ({path.name})"
    except (ValueError, KeyError, TypeError):
        return f"has a certificate ({path.name}) that cannot be read"
    return None
