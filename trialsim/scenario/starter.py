"""The commented start that ``trialsim init`` writes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trialsim.errors import UsageError
from trialsim.scenario.values import NAME_LENGTH
from trialsim.scenario.wording import shown

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")

_STARTER = """\
# A trial of two arms with a survival endpoint, to be changed into yours.
#
#   trialsim check @NAME@.yaml      says everything that is wrong with this file
#   trialsim run @NAME@.yaml        simulates it
#
# Durations and rates carry their unit: 90 days, 12 weeks, 6 months, 2 years; 10 per month.

name: "@NAME@"
description: A new treatment against control, time to progression, one analysis or three.

# Who comes, and how fast. Without a population all patients are alike.
population:
  marginals:
    age: {normal: {mean: 60, sd: 10}}
    stage: {categorical: {early: 0.6, late: 0.4}}

accrual:
  poisson: {rate: 20 per month}    # or evenly_spaced, uniform, piecewise

arms: [control, treatment]         # the first is control

# What is measured.
endpoints:
  progression:
    kind: survival                 # or binary, continuous
    baseline: {median: 12 months}  # control; or {survival: 0.5, at: 1 year}, {hazard: 0.06 per month}, ...
    effect: {treatment: 0.7}       # hazard ratio against control
    effect_kind: conditional       # of patients with the same covariates; or marginal, over all patients
    covariates: {age: 0.01, stage.late: 0.4}   # log hazard ratio per unit
    centre: {age: 60}              # the median above is that of a patient of 60 with an early stage

# Loss to follow-up, in both arms alike.
dropout:
  baseline: {survival: 0.95, at: 1 year}

# What is tested, named once. Benefit is fewer events: lower.
hypotheses:
  primary:
    endpoint: progression
    arms: [treatment, control]
    analysis: logrank                    # or cox, whose estimate is better where the effect is strong
    direction: lower
    follow_up: 3 years                   # the true hazard ratio, for bias, is that over 3 years from entry

# The worlds in which the designs are tried: each changes numbers above.
truths:
  expected: {}
  no_effect: {endpoints.progression.effect.treatment: 1.0}
  ladder: {grid: {endpoints.progression.effect.treatment: [0.9, 0.8, 0.6]}}

designs:
  fixed:
    kind: fixed
    n: 440                               # of whom 250 have the event, which is when the data are looked at
    allocation: {permuted_blocks: {size: 4}}
    looks:
      - when: {events: 250}
    tests: {primary: {alpha: 0.025}}     # one-sided; where there are bounds, they decide

  # The same trial with two looks on the way: O'Brien-Fleming bounds (Lan-DeMets spending) at 1/3, 2/3 and all
  # of the events.
  sequential:
    extends: fixed
    kind: group_sequential
    looks:
      - when: {events: 83}
      - when: {events: 167}
      - when: {events: 250}
        cleaning_lag: 30 days            # from the data cut to the locked database
    bounds:
      efficacy_z: [3.718, 2.509, 1.994]
      futility_z: [null, 0.5, null]      # null: no bound at that look
    futility_binding: false              # documents the design; futility is followed in the simulation unless
                                         # the next line says so: the error printed is with futility followed
    # policies: {stopping: {bounds: {futility: ignore}}}
"""


def starter_text(name: str) -> str:
    """Return a commented scenario of a sensible trial.

    Parameters
    ----------
    name
        The scenario's name.
    """
    return _STARTER.replace("@NAME@", name)


def write_starter(name: str, folder: Path) -> Path:
    """Write a commented scenario as ``NAME.yaml`` and return its path; an existing file is left alone.

    Raises
    ------
    UsageError
        Where the name is none, or the file exists or cannot be written.
    """
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    if not _NAME.match(stem) or len(stem) > NAME_LENGTH:
        rule = "lower-case letters, digits and underscores, beginning with a letter"
        there = " A scenario is written into the folder you are in: go there first." if "/" in name else ""
        raise UsageError(
            f"{shown(name)} cannot be a scenario's name; names are {rule}, such as my_trial.{there}"
        )
    path = folder / f"{stem}.yaml"
    try:
        # Exclusive: neither an existing file nor a link in its place is ever written over.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(starter_text(stem))
        except BaseException:  # on a full disk or an interrupt: half a scenario is none
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise UsageError(f"{path.name} exists already; choose another name.") from None
    except OSError as error:
        raise UsageError(
            f"{path.name} cannot be written: {(error.strerror or 'the system refuses').lower()}."
        ) from None
    return path
