"""Simulated basket trials, analysed by quadrature in one batch or by NUTS replicate by replicate, resumable."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.analyses.keys import Key
from trialsim.analyses.sampled.baskets import BasketNuts
from trialsim.analyses.sampled.nuts import Sampling
from trialsim.compiled import kernel
from trialsim.contracts import Bools, Floats, Ints
from trialsim.designs.basket import BasketDesign
from trialsim.draws import Purpose, uniform
from trialsim.errors import UsageError
from trialsim.stats.bayes.basket import BasketQuadrature

_READOUT = int(Purpose.READOUT)


@dataclass(frozen=True)
class BasketTrials:
    """What became of the trials.

    Parameters
    ----------
    replicate
        Global numbers, ``[replicate]``.
    above
        P(rate > reference) at each look, NaN where the trial had failed, ``[replicate, look, basket]``.
    success
        ``[replicate, basket]``.
    patients, responses
        At the end, ``[replicate, basket]``.
    failure
        What the chains failed at the look that ended the trial's automation; empty where none did, ``[replicate]``.
    """

    replicate: Ints
    above: Floats
    success: Bools
    patients: Ints
    responses: Ints
    failure: list[str]


@kernel
def _count_responses(seed, replicates, looks, rates, out):
    for r in range(len(replicates)):
        for j in range(len(rates)):
            total = 0
            patient = 0
            for k in range(len(looks)):
                while patient < looks[k]:
                    total += uniform(seed, replicates[r], (j << 32) | patient, _READOUT, 0) < rates[j]
                    patient += 1
                out[r, k, j] = total


def responses_by_look(design: BasketDesign, rates: Sequence[float], seed: int, replicates: Ints) -> Ints:
    """Return the responses that each basket would have by each look were it open, ``[replicate, look, basket]``.

    A patient's response is a keyed draw of basket and number in it: two analyses see the same patients.
    """
    if len(rates) != len(design.reference_rates):
        raise UsageError(f"rates: {len(rates)} are given for {len(design.reference_rates)} baskets")
    shape = (len(replicates), len(design.looks), len(rates))
    found = np.zeros(shape, dtype=np.int64)
    looks = np.array(design.looks, dtype=np.int64)
    _count_responses(
        seed, np.asarray(replicates, dtype=np.int64), looks, np.array(rates, dtype=np.float64), found
    )
    return found


def by_quadrature(design: BasketDesign, rates: Sequence[float], seed: int, replicates: Ints) -> BasketTrials:
    """Return trials analysed by quadrature (:mod:`trialsim.stats.bayes.basket`), all replicates together.

    Parameters
    ----------
    design
        The design.
    rates
        True response rates, ``[basket]``.
    seed, replicates
        Of the run; replicates by their global numbers.
    """
    could = responses_by_look(design, rates, seed, replicates)
    size, looks, baskets = could.shape
    engine = BasketQuadrature(
        design.prior, np.array(design.reference_rates), patients=baskets * design.looks[-1]
    )
    is_open = np.ones((size, baskets), dtype=bool)
    n, seen = np.zeros((size, baskets), dtype=np.int64), np.zeros((size, baskets), dtype=np.int64)
    above = np.full((size, looks, baskets), np.nan)
    for k in range(looks):
        n[is_open], seen[is_open] = design.looks[k], could[:, k][is_open]
        above[:, k] = engine.posterior(seen, n).above
        if k < looks - 1:
            is_open = design.still_open(above[:, k], is_open)
    success = design.succeeds(above[:, -1], is_open)
    return BasketTrials(np.asarray(replicates), above, success, n, seen, [""] * size)


def by_nuts(
    design: BasketDesign,
    rates: Sequence[float],
    seed: int,
    replicates: Ints,
    folder: Path,
    workers: int = 2,
    sampling: Sampling | None = None,
    progress: Callable[[int, int], None] | None = None,
    compiled: BasketNuts | None = None,
) -> BasketTrials:
    """Return trials analysed by NUTS at every look; each finished trial is a line of ``folder``, and is not fitted again.

    The model is compiled once and shared by the workers, which are threads: the sampler runs outside Python. Numbers depend
    on neither the workers nor on where an earlier run was broken off. A look whose chains fail ends the trial's automation:
    its sentence is kept, and no basket succeeds.

    Parameters
    ----------
    design, rates, seed, replicates
        As of :func:`by_quadrature`.
    folder
        Where trials are kept; made if need be.
    workers
        Fits side by side.
    sampling
        Length of chains and what they have to pass.
    progress
        Told how many of how many trials are done.
    compiled
        The design's model compiled before, as for another truth; without it compiled here.

    Raises
    ------
    UsageError
        When the folder holds trials of another design, truth, seed or sampling, or one whose draws are others here, as of
        another version of the sampler.
    """
    chosen = sampling or Sampling()
    identity = {
        "design": asdict(design), "rates": list(rates), "seed": seed, "sampling": asdict(chosen)
    }  # fmt: skip
    kept = _kept(folder, identity)
    numbers = [int(r) for r in replicates]
    waiting = [r for r in numbers if r not in kept]
    could = dict(zip(waiting, responses_by_look(design, rates, seed, np.array(waiting, dtype=np.int64))))
    if waiting:
        model = compiled or BasketNuts(design.prior, np.array(design.reference_rates), chosen)
        _same_draws(design, rates, seed, model, kept, folder)
        guard = threading.Lock()
        with (folder / "trials.jsonl").open("a", encoding="utf-8") as file:

            def conduct(replicate: int) -> None:
                line = _conduct(design, model, could[replicate], seed, replicate)
                with guard:
                    file.write(json.dumps(line) + "\n")
                    file.flush()
                    kept[replicate] = line
                    if progress is not None:
                        progress(len(numbers) - len(waiting) + sum(r in kept for r in waiting), len(numbers))

            with ThreadPoolExecutor(workers) as pool:
                for _ in pool.map(conduct, waiting):
                    pass
    lines = [kept[r] for r in numbers]
    return BasketTrials(
        np.array(numbers, dtype=np.int64),
        np.array([line["above"] for line in lines], dtype=np.float64),
        np.array([line["success"] for line in lines], dtype=bool),
        np.array([line["patients"] for line in lines], dtype=np.int64),
        np.array([line["responses"] for line in lines], dtype=np.int64),
        [line["failure"] for line in lines],
    )


def _conduct(
    design: BasketDesign, model: BasketNuts, could: Ints, seed: int, replicate: int
) -> dict[str, Any]:
    """Return one trial as a line of the folder."""
    looks, baskets = could.shape
    is_open = np.ones(baskets, dtype=bool)
    n, seen = np.zeros(baskets, dtype=np.int64), np.zeros(baskets, dtype=np.int64)
    above = np.full((looks, baskets), np.nan)
    failure = ""
    for k in range(looks):
        n[is_open], seen[is_open] = design.looks[k], could[k][is_open]
        fit = model.fit(seen, n, Key(seed, replicate, k))
        if fit.sentence:
            failure = f"look {k + 1}: {fit.sentence}"
            is_open[:] = False
            break
        above[k] = fit.above
        if k < looks - 1:
            is_open = design.still_open(above[k], is_open)
    success = design.succeeds(np.nan_to_num(above[-1]), is_open)
    return {
        "replicate": replicate,
        "above": above.tolist(),
        "success": success.tolist(),
        "patients": n.tolist(),
        "responses": seen.tolist(),
        "failure": failure,
    }


def _same_draws(
    design: BasketDesign,
    rates: Sequence[float],
    seed: int,
    model: BasketNuts,
    kept: dict[int, dict[str, Any]],
    folder: Path,
) -> None:
    """Refuse to add to trials whose draws are others here: one of them is run again, and must be the same."""
    if not kept:
        return
    replicate = min(kept)
    could = responses_by_look(design, rates, seed, np.array([replicate]))[0]
    if json.dumps(_conduct(design, model, could, seed, replicate)) != json.dumps(kept[replicate]):
        raise UsageError(
            f"{folder}: trial {replicate} has other draws there than here, as after another version of PyMC, nutpie, "
            "PyTensor or Numba, or on another machine; name another folder"
        )


def _kept(folder: Path, identity: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the finished trials of a folder by replicate, having checked or written what they are of."""
    folder.mkdir(parents=True, exist_ok=True)
    described = folder / "run.json"
    text = json.dumps(identity, indent=1, sort_keys=True)
    if described.exists():
        if described.read_text(encoding="utf-8") != text:
            raise UsageError(
                f"{folder} holds trials of another design, truth, seed or sampling (run.json); name another folder"
            )
    else:
        described.write_text(text, encoding="utf-8")
    trials = folder / "trials.jsonl"
    if not trials.exists():
        return {}
    found, whole = {}, ""
    for line in trials.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            continue  # a line that was being written when the run was broken off
        whole += line
        trial = json.loads(line)
        found[int(trial["replicate"])] = trial
    trials.write_text(whole, encoding="utf-8")
    return found
