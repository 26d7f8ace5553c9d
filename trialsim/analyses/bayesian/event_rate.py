"""Rates of an event by a time, with what is not known yet imputed from each patient's own follow-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import equal_tailed, posterior_of
from trialsim.analyses.keys import Key
from trialsim.contracts import Bools, DataCut, Floats, Ints, PatientRows, Posterior, Status, any_of
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.beta_binomial import posterior_differences, posterior_moments
from trialsim.stats.bayes.gamma_exponential import events_and_exposure, followed_within
from trialsim.stats.bayes.imputation import CompletedEvents, impute_events, tally_known

POSTERIOR, PREDICTIVE = 0, 2
"""Draws of a look, by what they are for: a number each, and one more for the other arm."""


class EventRate:
    """Difference of two rates of an event by a time, beta priors; unknown outcomes are imputed from follow-up.

    Patients lost, and those still followed, have the event with the probability that a piecewise-exponential model with
    gamma priors gives them, given how long they were followed without. The posterior is averaged over completed data sets.
    """

    name = "event_rate"
    endpoint_kinds = ("survival",)
    estimand = "difference_in_event_rates"
    reference = "Broglio, Connor and Berry 2014; multiple imputation: Rubin 1987"
    kind = "sampled"
    accuracy = (
        "exact where all outcomes are known; otherwise averaged over imputations, the Monte Carlo error with each "
        "probability"
    )
    keyed = True
    has_final_prior = True
    prior: Mapping[str, str] = {
        "at": "days by which an event counts",
        "prior": "shapes of both beta priors, events and patients without that they are worth",
        "control_prior": "those of control's, where they are others; -1, -1 stands for the same",
        "margin": "difference of rates by which treatment has to be better",
        "starts": "days at which pieces of the hazard begin, the first 0",
        "hazard_shape": "shapes of the hazards' gamma priors, events that they are worth, one or one a piece",
        "hazard_exposure": "their rates, days at risk that they are worth",
        "final_hazard_shape": "the shapes at the last look; 0 stands for the same",
        "final_hazard_exposure": "the rates at the last look; 0 stands for the same",
        "draws": "data sets completed",
    }
    defaults: Mapping[str, Any] = {
        "at": None,
        "prior": [1.0, 1.0],
        "control_prior": [-1.0, -1.0],
        "margin": 0.0,
        "starts": [0.0],
        "hazard_shape": [0.5],
        "hazard_exposure": None,
        "final_hazard_shape": [0.0],
        "final_hazard_exposure": [0.0],
        "draws": 500,
    }

    def posterior(
        self,
        cut: DataCut,
        lower_is_better: bool,
        options: Mapping[str, Any],
        level: float | None = 0.95,
        keys: Sequence[Key] | None = None,
        final: Bools | None = None,
    ) -> Posterior:
        """Return the posterior of every replicate.

        Parameters
        ----------
        cut, lower_is_better, options, level
            As of every Bayesian analysis.
        keys
            Address of each replicate's imputations; without it seed 0 and the replicates' places in the batch.
        final
            Where the hazards' priors are those of the last look, ``[replicate]``; without it nowhere.
        """
        chosen = self._checked(options)
        rows = cut.patients()
        size = len(rows.offsets) - 1
        known, events = self.known(rows, chosen)
        nobody = np.zeros((size, 2), dtype=np.int64)
        more, _ = self.imputed(rows, chosen, keys, (nobody, nobody), POSTERIOR, final)
        n = _patients(rows)
        if (known == n).all():
            more = more[:, :, :1]
        total = events[:, :, None] + more
        prior = beta_shapes(chosen, False)
        mean, sd = _moments(total, n, prior)
        sign = -1.0 if lower_is_better else 1.0

        def exceeds(at: Floats) -> Floats:
            return _averaged(total, n, prior, at, False)[0]

        margin = np.full(size, float(chosen["margin"]))
        probability, error = _averaged(total, n, prior, sign * margin, lower_is_better)
        interval = equal_tailed(exceeds, mean, sd, level)
        failures: list[tuple[Status, object]] = [(Status.EMPTY_ARM, any_of(n == 0))]
        return posterior_of(self.kind, probability, mean, sd, interval, error, failures)

    def known(self, rows: PatientRows, options: Mapping[str, Any]) -> tuple[Ints, Ints]:
        """Return patients whose outcome is known, and events among them, ``[replicate, 2]``: control, treatment."""
        size = len(rows.offsets) - 1
        known, events = np.zeros((size, 2), dtype=np.int64), np.zeros((size, 2), dtype=np.int64)
        value, at = rows.value.astype(np.float64), float(options["at"])
        tally_known(rows.offsets, rows.treated, value, rows.event, at, known, events)
        return known, events

    def completed(
        self,
        rows: PatientRows,
        lower_is_better: bool,
        options: Mapping[str, Any],
        keys: Sequence[Key],
        unseen: Ints,
        to_come: Ints,
    ) -> CompletedEvents:
        """Return completed data sets at an interim look: events, whichever of them are better.

        Parameters
        ----------
        rows, keys
            As of :meth:`imputed`.
        lower_is_better, options
            As of :meth:`posterior`.
        unseen, to_come
            Patients enrolled who are not among ``rows``, and those not enrolled yet, ``[replicate, 2]``, control first.
        """
        chosen = self._checked(options)
        _, events = self.known(rows, chosen)
        now, later = self.imputed(rows, chosen, keys, (unseen, to_come), PREDICTIVE)
        enrolled = _patients(rows) + unseen
        return CompletedEvents(events, enrolled, enrolled + to_come, now, later)

    def imputed(
        self,
        rows: PatientRows,
        options: Mapping[str, Any],
        keys: Sequence[Key] | None,
        further: tuple[Ints, Ints],
        purpose: int,
        final: Bools | None = None,
    ) -> tuple[Ints, Ints]:
        """Return further events in completed data sets, of patients enrolled and of these and patients still to come.

        Parameters
        ----------
        rows
            Patients.
        options
            All options of the model.
        keys
            Address of each replicate's draws.
        further
            Patients enrolled who are not among ``rows``, and those not enrolled yet, ``[replicate, 2]`` each,
            control first.
        purpose
            ``POSTERIOR`` or ``PREDICTIVE``: which of the look's draws.
        final
            As of :meth:`posterior`.

        Returns
        -------
        tuple of numpy.ndarray
            ``[replicate, 2, draw]`` each.
        """
        starts, size = np.array(options["starts"], dtype=np.float64), len(rows.offsets) - 1
        at = float(options["at"])
        # Follow-up beyond the time is no part of the model of events by it.
        within = followed_within(rows, at)
        events, exposure = events_and_exposure(within, starts)
        early, late = (hazard_prior(options, each) for each in ("", "final_"))
        last = np.zeros(size, dtype=bool) if final is None else final
        shape = events + np.where(last[:, None, None], late[0], early[0])
        rate = exposure + np.where(last[:, None, None], late[1], early[1])
        given = keys or [Key(0, r) for r in range(size)]
        words = np.array(
            [[key.bits(self.name, purpose + arm) for arm in range(2)] for key in given], dtype=np.uint64
        )
        draws = int(options["draws"])
        now, later = (np.empty((size, 2, draws), dtype=np.int64) for _ in range(2))
        impute_events(
            rows.offsets, rows.treated, within.value, within.event, at, starts, shape, rate, *further,
            words.reshape(size, 2), now, later,
        )  # fmt: skip
        return now, later

    def _checked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
        chosen = options_of(self.name, self.prior, self.defaults, given)
        pieces = len(chosen["starts"])
        problems = [
            Problem(name, f"{len(chosen[name])} entries for {pieces} pieces; give one, or one for each piece")
            for name in ("hazard_shape", "hazard_exposure")
            if len(_several(chosen[name])) not in (1, pieces)
        ]
        if not chosen["at"] > 0.0:
            problems.append(Problem("at", f"{chosen['at']:g} is not above 0 days"))
        if problems:
            raise ScenarioError(problems, f"The options of {self.name}")
        return chosen


def hazard_prior(options: Mapping[str, Any], which: str) -> tuple[Floats, Floats]:
    """Return shapes and rates of the hazards' priors, ``[piece]``; ``which`` is ``final_`` for those of the last look."""
    pieces, found = len(options["starts"]), []
    for name in ("hazard_shape", "hazard_exposure"):
        given = options.get(f"{which}{name}")
        if given is None or not np.any(np.array(_several(given)) > 0.0):
            given = options[name]
        found.append(np.broadcast_to(np.array(_several(given), dtype=np.float64), pieces))
    return found[0], found[1]


def beta_shapes(options: Mapping[str, Any], turned: bool) -> Floats:
    """Return the shapes of the beta priors, control first, ``[2, 2]``; of rates without an event where ``turned``."""
    ours, theirs = options["prior"], options.get("control_prior")
    found = np.array([ours if theirs is None or theirs[0] <= 0.0 else theirs, ours], dtype=np.float64)
    return np.ascontiguousarray(found[:, ::-1]) if turned else found


def _several(value: Any) -> Sequence[float]:
    return value if isinstance(value, Sequence) else [value]


def _patients(rows: PatientRows) -> Ints:
    """Return patients by arm, ``[replicate, 2]``."""
    size = len(rows.offsets) - 1
    place = np.repeat(np.arange(size), np.diff(rows.offsets))
    return np.bincount(2 * place + rows.treated, minlength=2 * size).reshape(size, 2).astype(np.int64)


def _moments(total: Ints, n: Ints, prior: Floats) -> tuple[Floats, Floats]:
    """Return posterior mean and standard deviation of the difference, variance between data sets included."""
    size, _, draws = total.shape
    mean, variance = (np.empty((2, size * draws)) for _ in range(2))
    for arm in range(2):
        events, patients = total[:, arm].reshape(-1), np.repeat(n[:, arm], draws)
        posterior_moments(events, patients, prior[arm, 0], prior[arm, 1], mean[arm], variance[arm])
    apart = (mean[1] - mean[0]).reshape(size, draws)
    within = (variance[0] + variance[1]).reshape(size, draws).mean(axis=1)
    return apart.mean(axis=1), np.sqrt(within + apart.var(axis=1))


def _averaged(total: Ints, n: Ints, prior: Floats, at: Floats, below: bool) -> tuple[Floats, Floats]:
    """Return P(difference > at), or < at, averaged over completed data sets, and the Monte Carlo error."""
    size, _, draws = total.shape
    found, error = np.empty(size), np.zeros(size)
    for r in range(size):
        pairs, place = np.unique(total[r].T, axis=0, return_inverse=True)
        patients = np.broadcast_to(n[r], pairs.shape).copy()
        each = np.empty(len(pairs))
        posterior_differences(np.ascontiguousarray(pairs), patients, float(at[r]), prior, each)
        of_draws = each[place.reshape(-1)]
        found[r] = of_draws.mean()
        error[r] = of_draws.std() / np.sqrt(draws) if draws > 1 else 0.0
    return 1.0 - found if below else found, error
