"""The types that pass between the parts, and the conventions that hold everywhere.

Time is in days from the start of accrual (ticks of 2**-20 day inside the engines); ``z > 0`` favours treatment;
alpha is one-sided unless named otherwise; arm 0 is control; arrays are ``[replicate, ...]``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WEIGHT_GRID = 2.0**20
"""Allocation weights are rounded to this many steps, so that no last bit of a batched product reaches a trial."""


def any_of(columns: NDArray[Any]) -> Bools:
    """Return whether anything holds in each row of a narrow array ``[replicate, few]`` (NumPy's own is slow on these)."""
    found = np.array(columns[:, 0], dtype=bool)
    for k in range(1, columns.shape[1]):
        found |= columns[:, k]
    return found


def all_of(columns: NDArray[Any]) -> Bools:
    """Return whether everything holds in each row of a narrow array ``[replicate, few]``."""
    found = np.array(columns[:, 0], dtype=bool)
    for k in range(1, columns.shape[1]):
        found &= columns[:, k]
    return found


def sum_of(columns: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of each row of a narrow array ``[replicate, few]``."""
    if columns.strides[0] == 0 and len(columns):  # one row stands for all
        return np.full(len(columns), columns[0].sum(), dtype=columns.dtype)
    total = columns[:, 0].copy()
    for k in range(1, columns.shape[1]):
        total += columns[:, k]
    return total


class Kind(enum.IntEnum):
    """What can happen, in the order in which things of one instant happen; ties within a kind go by id."""

    EVENT = 0
    READOUT = 1
    DROPOUT = 2
    ADVERSE_EVENT = 3
    VISIT = 4
    SCREENING = 5
    RANDOMISATION = 6
    RENEGING = 7
    SITE = 8
    ARRIVAL = 9
    REVIEW = 10
    DISPATCH = 11
    LOOK = 12
    DECISION = 13
    END = 14
    # Consequences, which finish before the next of the above: they appear in logs, never in a queue.
    ENROLMENT_CLOSED = 20
    ARM_CLOSED = 21
    WEIGHT = 22
    REJECTED = 23
    FUTILE = 24
    SITE_CLOSED = 25
    RELEASED = 26
    CANDIDATE = 27
    RESIZED = 28
    CHANCE = 29
    # What becomes of a patient from randomisation on. Some follow at once from an event, some come at times of their
    # own, in the order of adverse events of the instant (after them, see docs/semantics.md).
    ONSET = 30
    SERIOUS = 31
    RESOLVES = 32
    DEATH = 33
    DISCONTINUED = 34
    REDUCED = 35
    INTERRUPTED = 36
    RESUMED = 37
    TREATMENT_ENDED = 38
    RESCUE = 39
    CROSSOVER = 40
    ADJUDICATED = 41
    # What follows from a review of recruitment, besides closed sites.
    SITE_CALLED = 42
    RESCORED = 43


class Status(enum.IntEnum):
    """Whether an estimate could be had, and if not, why."""

    OK = 0
    NOT_ANALYSED = 1
    NO_EVENTS = 2
    EMPTY_ARM = 3
    NO_VARIANCE = 4
    NO_FINITE_ESTIMATE = 5
    SHORT_FOLLOW_UP = 6
    OUTSIDE_RANGE = 7
    CHAINS_FAILED = 8

    @property
    def sentence(self) -> str:
        """The status in words."""
        return _STATUS_SENTENCES[self]


_STATUS_SENTENCES = {
    Status.OK: "estimated",
    Status.NOT_ANALYSED: "not analysed: its trial ended without this analysis",
    Status.NO_EVENTS: "no events in the compared arms",
    Status.EMPTY_ARM: "one of the compared arms has no data",
    Status.NO_VARIANCE: "the test statistic has no variance",
    Status.NO_FINITE_ESTIMATE: "the likelihood has no finite maximum",
    Status.SHORT_FOLLOW_UP: "nobody in one of the compared arms was followed for as long as the analysis asks",
    Status.OUTSIDE_RANGE: "too few patients or events for the approximation, whose error was not found small there",
    Status.CHAINS_FAILED: "the sampler's chains did not pass their diagnostics: nothing may be decided on this fit",
}


class Stop(enum.IntEnum):
    """Why a trial ended."""

    CONTINUE = 0
    EFFICACY = 1
    FUTILITY = 2
    FINAL = 3
    HORIZON = 4
    POLICY = 5
    SUPERIORITY = 6
    EQUIVALENCE = 7
    NO_ANALYSIS = 8
    SAFETY = 9


@dataclass(frozen=True)
class Estimates:
    """What an analysis says of a batch of replicates, each array ``[replicate]``.

    Parameters
    ----------
    effect
        Estimate on the analysis' own scale (log hazard ratio, difference of means or of proportions).
    se
        Its standard error.
    z
        Test statistic, positive when it favours treatment in the direction of the hypothesis.
    information
        Statistical information about the effect.
    status
        :class:`Status` codes; where it is not OK the numbers are 0 or NaN and must not be used.
    error
        Of the posterior probability that z stands for, where the analysis is a Bayesian model; None for others.
    chains
        Of a model that is sampled, what its chains are judged by (:data:`JUDGED_BY`), ``[replicate, 4]``.
    """

    effect: Floats
    se: Floats
    z: Floats
    information: Floats
    status: NDArray[np.int8]
    error: Floats | None = None
    chains: Floats | None = None


JUDGED_BY = ("rhat", "ess_bulk", "ess_tail", "divergent")
"""What a sampler's chains are judged by: R-hat, effective draws of the bulk and of the tails, share that diverged."""


@dataclass(frozen=True)
class Posterior:
    """What a Bayesian analysis says of a batch of replicates, each array ``[replicate]``.

    Parameters
    ----------
    probability
        Posterior probability that the effect favours treatment by more than the margin.
    mean, sd
        Of the effect, treatment against control on the analysis' own scale.
    lower, upper
        Equal-tailed interval of the effect; NaN where none was asked for.
    error
        Of the probability: what quadrature left (0 for closed forms), the measured error of an approximation, or the Monte
        Carlo standard error of a sample.
    status
        :class:`Status` codes; where it is not OK the numbers are NaN and nothing may be decided on them.
    kind
        ``exact`` (closed form or quadrature), ``approximate`` or ``sampled``.
    chains
        Where it is sampled, what the chains are judged by (:data:`JUDGED_BY`), ``[replicate, 4]``, passed or not.
    """

    probability: Floats
    mean: Floats
    sd: Floats
    lower: Floats
    upper: Floats
    error: Floats
    status: NDArray[np.int8]
    kind: str
    chains: Floats | None = None


@dataclass(frozen=True)
class RiskTables:
    """Numbers at risk at each distinct event time of a batch of replicates, one after the other.

    Parameters
    ----------
    offsets
        Rows of replicate ``r`` are ``offsets[r]`` to ``offsets[r + 1] - 1``, int64 ``[replicate + 1]``.
    at_risk, at_risk_treatment
        Patients at risk in both arms, and on treatment, int32 ``[row]``. A stratified table holds one stratum
        after the other, so every row's counts are those of its own stratum.
    events, events_treatment
        Events at that time in both arms, and on treatment, int32 ``[row]``.
    """

    offsets: Ints
    at_risk: NDArray[np.int32]
    at_risk_treatment: NDArray[np.int32]
    events: NDArray[np.int32]
    events_treatment: NDArray[np.int32]


@dataclass(frozen=True)
class Moments:
    """Read-outs of two arms of a batch of replicates, arrays ``[replicate, 2]``: control, treatment.

    Parameters
    ----------
    n
        Patients read out.
    mean
        Their mean.
    squares
        Sum of squared deviations from that mean.
    """

    n: Ints
    mean: Floats
    squares: Floats


@dataclass(frozen=True)
class PatientRows:
    """Patients of two arms of a batch of replicates one by one, in order of entry, one replicate after the other.

    Parameters
    ----------
    offsets
        Rows of replicate ``r`` are ``offsets[r]`` to ``offsets[r + 1] - 1``, int64 ``[replicate + 1]``.
    treated
        Whether on treatment, int8 ``[row]``.
    stratum
        In the strata of the analysis, from 0, ``[row]``.
    value
        Days of follow-up of a survival endpoint, otherwise the read-out, ``[row]``.
    event
        Whether follow-up ended with an event, int8 ``[row]``; 0 for other endpoints.
    covariates
        What the analysis adjusts for, ``[row, column]``: numbers as they are, a categorical covariate as an indicator of
        each level but the first, a prognostic score last.
    still_followed
        Whether follow-up goes on at the cut: no event is known, and the patient has not left, int8 ``[row]``. None where
        it is not known: of other endpoints, and by strategies other than ``treatment_policy``.
    """

    offsets: Ints
    treated: NDArray[np.int8]
    stratum: Ints
    value: Floats
    event: NDArray[np.int8]
    covariates: Floats
    still_followed: NDArray[np.int8] | None = None


@dataclass(frozen=True)
class AllocationRows:
    """How the patients of :class:`PatientRows` were allocated, in the same order.

    Parameters
    ----------
    period
        How often allocation had changed before each came, from 0, ``[row]``.
    chance
        Probability of the arm that each was given when they came, by the weights in force or the design's shares of the
        open arms, ``[row]``.
    """

    period: Ints
    chance: Floats


@dataclass(frozen=True)
class ArmTotals:
    """Read-outs of every arm of a design, of which one is tested.

    Parameters
    ----------
    n
        Patients read out, ``[replicate, arm]``.
    total
        Sum of their read-outs: the responses when binary, ``[replicate, arm]``.
    arm
        Index of the arm that the hypothesis tests.
    most
        Patients that the design enrols at most.
    """

    n: Ints
    total: Floats
    arm: int
    most: int


class DataCut(Protocol):
    """What is known of one hypothesis' endpoint and arms at a cut, for a batch of replicates."""

    def risk_tables(self) -> RiskTables:
        """Return the numbers at risk (survival endpoints)."""
        ...

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Yield the numbers at risk of each stratum, all replicates in each; a stratum without patients may be left out."""
        ...

    def moments(self) -> Moments:
        """Return the read-outs' moments (binary and continuous endpoints)."""
        ...

    def patients(self) -> PatientRows:
        """Return the patients one by one (any endpoint): those followed, or those read out."""
        ...

    def every_arm(self) -> ArmTotals:
        """Return the read-outs of every arm of the design, the compared ones or not (binary and continuous endpoints)."""
        ...

    def allocations(self) -> AllocationRows:
        """Return how those patients were allocated."""
        ...

    def redrawn(self, draws: int) -> Iterator[NDArray[np.int8]]:
        """Yield for each replicate whether those patients would be on treatment in other allocations, ``[draw, row]``."""
        ...


class Analysis(Protocol):
    """A test and its estimator: a data cut in, estimates out.

    ``lower_is_better`` gives the sign of z; ``options`` are those of the scenario's hypothesis. ``information`` says in
    words what :attr:`Estimates.information` is, ``increments`` whether the score's increments between looks are
    independent with that variance, which group sequential bounds take for granted.
    """

    name: str
    endpoint_kinds: tuple[str, ...]
    estimator: str
    estimand: str
    reference: str
    information: str
    increments: str

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the estimates of every replicate of the cut."""
        ...


class BayesianAnalysis(Protocol):
    """A model and its prior: a data cut in, the posterior of treatment's effect out.

    ``prior`` names the options with their meaning, ``defaults`` their values. ``kind`` is that of
    :attr:`Posterior.kind`, and ``accuracy`` says in words how large the error of a probability is.
    """

    name: str
    endpoint_kinds: tuple[str, ...]
    estimand: str
    reference: str
    kind: str
    accuracy: str
    prior: Mapping[str, str]
    defaults: Mapping[str, Any]

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; ``level`` is the interval's, None leaves intervals out."""
        ...


@dataclass(frozen=True)
class LookView:
    """What a stopping policy sees at a look; nothing in it is later than the cut.

    Arrays are ``[replicate]``, ``[replicate, test]`` or ``[replicate, arm]`` over the replicates at a look now.

    Parameters
    ----------
    replicate
        Global numbers of the replicates.
    look
        Index of the look from 0.
    is_last
        Whether no look is planned after this one.
    cut_days
        Data cut.
    z, effect, se, information
        Estimates of the design's tests.
    status
        :class:`Status` of each estimate.
    efficacy_z, futility_z
        The design's bounds at this look (infinite: none).
    test_arms
        Treatment and control of each test, ``[test, 2]``.
    rejected, futile
        What earlier looks decided.
    open_arms
        Arms open to allocation.
    arm_enrolled, arm_events, arm_readouts
        Visible counts by arm.
    own_z, lost
        Where tests are closed under intersections (``z`` is then the statistic that holds familywise): the combined
        statistic of each test alone, and whether it can no longer be rejected. None elsewhere.
    worth
        What arms are chosen by, higher is better, where that is another endpoint than the tests'; not a number where it
        could not be computed. None elsewhere.
    seen
        Outcomes of each test's endpoint, for policies that ask for them.
    best_arms
        Works out, and remembers, which of some response rates is the best.
    seed
        For policies that draw at a trial's address; it follows from the seed of the run, not the other way round.
    error
        Of the posterior probabilities that z stands for, where a test's analysis is a Bayesian model, otherwise NaN.
    chains
        What the chains of each test's model are judged by (:data:`JUDGED_BY`), ``[replicate, test, 4]``, where a test's
        model is sampled, otherwise NaN; None where none is.
    beyond
        Posterior probabilities of a benefit beyond margins other than a test's own, by its number and the margin,
        ``[replicate]``, where the policy asks for them.
    benefit
        By how much each test's true effect is better than its null hypothesis allows, ``[test]``; empty but for policies
        that declare ``reads_latent``.
    """

    replicate: Ints
    look: Ints
    is_last: Bools
    cut_days: Floats
    z: Floats
    effect: Floats
    se: Floats
    information: Floats
    status: NDArray[np.int8]
    efficacy_z: Floats
    futility_z: Floats
    test_arms: Ints
    rejected: Bools
    futile: Bools
    open_arms: Bools
    arm_enrolled: Ints
    arm_events: Ints
    arm_readouts: Ints
    own_z: Floats | None = None
    lost: Bools | None = None
    worth: Floats | None = None
    seen: OutcomesSeen | None = None
    best_arms: BestArms | None = None
    seed: int = 0
    error: Floats | None = None
    chains: Floats | None = None
    beyond: Mapping[tuple[int, float], Floats] = field(default_factory=dict)
    benefit: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class OutcomesSeen:
    """Outcomes of each test's endpoint that are visible at a look, ``[replicate, test, arm]``.

    Parameters
    ----------
    readouts
        Patients read out.
    total
        Sum of their read-outs: the successes when binary.
    pending
        Patients enrolled, not read out yet, who still can be.
    completes
        By number of the test, where the policy imputes from the follow-up of patients: works out data sets completed by
        imputation, given the patients still to come, ``[replicate, 2]``: their events
        (:class:`~trialsim.stats.bayes.imputation.CompletedEvents`), or posterior probabilities in them. The engine makes
        the draws, so that no policy needs the seed of the run.
    laws
        Parameters of the posteriors of a test's arms, by number of the test, control first, ``[replicate, 2, 3]``, where
        the policy predicts from them.
    arm_laws
        Number of the family of the posteriors of every arm on the first test's endpoint, and their parameters,
        ``[replicate, arm, 3]``, where the policy compares all arms by them.
    """

    readouts: Ints
    total: Floats
    pending: Ints
    completes: Mapping[int, Callable[[Ints], Any]] = field(default_factory=dict)
    laws: Mapping[int, Floats] = field(default_factory=dict)
    arm_laws: tuple[int, Floats] | None = None


class BestArms(Protocol):
    """Which of some response rates is the best, worked out once where a decision and an allocation both ask for it."""

    def __call__(
        self, replicate: Ints, good: Ints, n: Ints, among: Bools, prior: tuple[float, float]
    ) -> Floats:
        """Return the probability that each of some arms has the highest rate, ``[replicate, arm]``."""
        ...


@dataclass(frozen=True)
class AllocationView:
    """What a randomisation policy sees at a review; nothing in it is later than the cut.

    Parameters
    ----------
    replicate
        Global numbers of the replicates, ``[replicate]``.
    cut_days
        Data cut, ``[replicate]``.
    arm_enrolled, arm_events, arm_readouts
        Visible counts by arm, ``[replicate, arm]``.
    arm_total
        Sum of the visible read-outs of the policy's endpoint (successes when binary), ``[replicate, arm]``.
    open_arms
        Arms open to allocation, ``[replicate, arm]``.
    ratio
        The design's own allocation ratio, ``[arm]``.
    lower_is_better
        Whether low rates of that endpoint are a benefit.
    n_max
        Patients to be enrolled at most.
    best_arms
        Works out, and remembers, which of some response rates is the best.
    benefit
        True benefit of each arm over control, ``[arm]``; empty but for policies that declare ``reads_latent``.
    seed
        For policies that draw at an arm's address; it follows from the seed of the run, not the other way round.
    """

    replicate: Ints
    cut_days: Floats
    arm_enrolled: Ints
    arm_events: Ints
    arm_readouts: Ints
    arm_total: Floats
    open_arms: Bools
    ratio: Ints
    lower_is_better: bool = False
    n_max: int = 0
    best_arms: BestArms | None = None
    benefit: Floats = field(default_factory=lambda: np.zeros(0))
    seed: int = 0


class Fate(enum.IntEnum):
    """What people make of a recommendation."""

    ACCEPTED = 0
    DELAYED = 1
    OVERRIDDEN = 2
    NOT_ASKED = 3
    """Nothing was recommended, or nobody may decide otherwise."""


@dataclass(frozen=True)
class Decision:
    """What a policy decides for each replicate it saw; None leaves things as they are.

    Parameters
    ----------
    stop
        Whether the trial stops, ``[replicate]``.
    reason
        :class:`Stop` codes, ``[replicate]``.
    reject, futile
        Tests decided now, ``[replicate, test]``.
    open_arms
        Arms open to allocation from now on, ``[replicate, arm]``.
    weights
        Allocation weights from now on, ``[replicate, arm]``; a row of NaN keeps what is.
    further_counts
        How many read-outs more (or fewer) all later looks wait for than was planned at first, ``[replicate]``; enrolment
        goes on or closes accordingly. Of a survival endpoint how many events more; enrolment is as planned.
    close_enrolment
        Whether nobody more is enrolled and the last look comes next, ``[replicate]``.
    trace
        Probabilities that were weighed, named by the policy's ``quantities``, ``[replicate, quantity]``.
    rule
        Number of the rule that decided, from 1; 0 for none, ``[replicate]``.
    recommended
        Where people stand between a policy and what is done: what it recommended to them.
    fate
        What they made of it, a :class:`Fate` code, ``[replicate]``.
    """

    stop: Bools | None = None
    reason: NDArray[np.int8] | None = None
    reject: Bools | None = None
    futile: Bools | None = None
    open_arms: Bools | None = None
    weights: Floats | None = None
    further_counts: Ints | None = None
    close_enrolment: Bools | None = None
    trace: Floats | None = None
    rule: NDArray[np.int16] | None = None
    recommended: Decision | None = None
    fate: Ints | None = None

    def canonical(self) -> Decision:
        """Return the decision with its weights, recommended ones too, scaled to sum to one and rounded to the grid."""
        if self.recommended is not None:
            return replace(self._rounded(), recommended=self.recommended.canonical())
        return self._rounded()

    def of(self, rows: Bools | Ints) -> Decision:
        """Return the decision for some of its replicates."""
        parts: dict[str, Any] = {
            name: None if part is None else part.of(rows) if isinstance(part, Decision) else part[rows]
            for name, part in vars(self).items()
        }
        return Decision(**parts)

    def _rounded(self) -> Decision:
        """Return the decision with its own weights on the grid."""
        if self.weights is None:
            return self
        total = self.weights.sum(axis=1, keepdims=True)
        rounded = np.rint(self.weights / total * WEIGHT_GRID) / WEIGHT_GRID
        return replace(self, weights=rounded)


Memory = Mapping[str, Any]
"""What a policy remembers between decisions: arrays whose first axis is the replicate, at visits the patient.

Empty before the first decision. All else that a policy knows is in its view.
"""

DECISION_POINTS = ("candidate", "site", "allocation", "visit", "look")
"""What a policy decides on: one of these stands in its ``decides_on``, and tells what it is shown and what it returns."""


@dataclass(frozen=True)
class CandidateView:
    """What a recruitment policy sees of candidates: those who are met now, or those who wait at a review.

    What is hidden from everybody in a trial, latent traits and chances, is empty but for policies that declare
    ``reads_latent``: controls against which others are held. Nothing of what comes later is in a view.

    Parameters
    ----------
    replicate
        Global number of each candidate's replicate, ``[candidate]``.
    candidate
        Key: site << 32 | arrival number at the site, ``[candidate]``.
    site
        Number of the site, ``[candidate]``.
    contact_days
        Time of the contact, ``[candidate]``.
    covariates
        What the records hold, categorical covariates as codes, NaN where a value is missing, ``[candidate, covariate]``.
    names
        Of the covariates.
    levels
        Levels of each categorical covariate, in the order of their codes.
    seed
        For policies that draw at the candidate's address; it follows from the seed of the run, not the other way round.
    latent
        Latent traits in units of their standard deviations, ``[candidate, trait]``.
    traits
        Names of the latent traits.
    chances
        Probabilities of passing the records, consenting and being eligible, ``[candidate, 3]``.
    rows
        Where in the memory each candidate's trial stands, ``[candidate]``.
    screenings
        At a review, what has become of screenings since the review before, for policies that declare ``at_reviews``;
        candidates are then those who wait. None at first contact.
    """

    replicate: Ints
    candidate: Ints
    site: Ints
    contact_days: Floats
    covariates: Floats
    names: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    seed: int
    latent: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    traits: tuple[str, ...] = ()
    chances: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    rows: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    screenings: Screenings | None = None


@dataclass(frozen=True)
class Screenings:
    """What has become of screenings since the review before; nothing in it is later than this review.

    Parameters
    ----------
    review
        Number of the review from 0, ``[replicate]``, in the order of the memory.
    review_days
        When it is, ``[replicate]``.
    offsets
        Attempts of replicate ``k`` are ``offsets[k]`` to ``offsets[k + 1] - 1``, by number of the candidate,
        ``[replicate + 1]``.
    candidates
        Who was called and has reached an end since then, ``[attempt]``.
    randomised
        Whether that end was randomisation; otherwise they refused or failed, ``[attempt]``.
    """

    review: Ints
    review_days: Floats
    offsets: Ints
    candidates: CandidateView
    randomised: Bools


@dataclass(frozen=True)
class SiteView:
    """What is known of sites before a trial, or at a review while it enrols, for a batch of replicates.

    Parameters
    ----------
    replicate
        Global numbers of the replicates, ``[replicate]``.
    names, groups
        Of the sites, ``[site]``.
    history_days
        Days for which an earlier trial enrolled at each site, 0 where there was none, ``[site]``.
    history_patients
        Candidates found then, ``[replicate, site]``.
    promised
        Candidates a day that the site promises, NaN where nobody asked or it did not answer, ``[replicate, site]``.
    seed
        For policies that draw at the site's address; it follows from the seed of the run, not the other way round.
    rates
        True rates of candidates a day, ``[replicate, site]``; empty but for policies that declare ``reads_latent``.
    levels
        Of the subgroup that the scenario reports; empty where it reports none.
    history_levels
        Candidates of the earlier trial by level, ``[replicate, site, level]``.
    so_far
        At a review, what this trial has found at them; None before it begins.
    """

    replicate: Ints
    names: tuple[str, ...]
    groups: tuple[str, ...]
    history_days: Floats
    history_patients: Ints
    promised: Floats
    seed: int
    rates: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    levels: tuple[str, ...] = ()
    history_levels: Ints = field(default_factory=lambda: np.zeros((0, 0, 0), dtype=np.int64))
    so_far: SitesSoFar | None = None

    def of(self, rows: Ints) -> SiteView:
        """Return the view of some of its replicates."""
        return replace(
            self,
            replicate=self.replicate[rows],
            history_patients=self.history_patients[rows],
            promised=self.promised[rows],
            rates=self.rates[rows] if self.rates.size else self.rates,
            history_levels=self.history_levels[rows] if self.history_levels.size else self.history_levels,
            so_far=None if self.so_far is None else self.so_far.of(rows),
        )


@dataclass(frozen=True)
class SitesSoFar:
    """What a trial has found at its sites by a review; nothing in it is later than the review.

    Arrays are ``[replicate, site]`` unless said otherwise.

    Parameters
    ----------
    review
        Number of the review from 0, ``[replicate]``.
    review_days
        When it is, ``[replicate]``.
    open
        Whether the site takes candidates now.
    reserve
        Whether it has never been asked to open.
    open_days
        Days for which it has been open so far, 0 where it has not opened yet.
    came, randomised
        Candidates who have come, and those randomised.
    n_max
        Patients to be enrolled.
    """

    review: Ints
    review_days: Floats
    open: Bools
    reserve: Bools
    open_days: Floats
    came: Ints
    randomised: Ints
    n_max: int

    def of(self, rows: Ints) -> SitesSoFar:
        """Return what was found in some of the replicates."""
        arrays = ("review", "review_days", "open", "reserve", "open_days", "came", "randomised")
        chosen: dict[str, Any] = {name: getattr(self, name)[rows] for name in arrays}
        return replace(self, **chosen)


@dataclass(frozen=True)
class SiteDecision:
    """What a site policy decides, ``[replicate, site]`` each; None leaves things as they are.

    Parameters
    ----------
    score
        Before the trial: a number for each site. The highest open, the first among equals, as many as the policy's
        ``open_sites``; NaN comes last.
    close
        At a review: sites that take nobody any more; only those that are open can close.
    open
        At a review: reserves that are asked to open; they do so once their activation has taken its time.
    recommended, fate
        As of :class:`Decision`; the fate is ``[replicate]``.
    """

    score: Floats | None = None
    close: Bools | None = None
    open: Bools | None = None
    recommended: SiteDecision | None = None
    fate: Ints | None = None


class SitePolicy(Protocol):
    """Chooses which sites open before the trial, and where it declares ``at_reviews``, which close and open at reviews.

    A policy may have ``reads_latent = True``, which opens the true rates to it. Where all sites open before the trial
    it is asked at reviews alone.
    """

    name: str
    reference: str
    decides_on: str
    open_sites: int | None
    """How many open before the trial; None for all, whatever they score."""

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return the decision for each replicate of the view, and what to remember."""
        ...


class RecruitmentPolicy(Protocol):
    """Ranks candidates for screening; whoever scores highest is called when a coordinator becomes free.

    A policy may have ``reads_latent = True``, which opens the hidden part of a view to it, and a method
    ``prepared(sample)`` that returns the policy to use, given the view of candidates whom no trial ever meets; it is asked
    once, before anything runs, so that a score can be set against what is usual.

    Candidates are asked about at first contact, those of all times at once: a score is a function of one candidate and the
    memory, and the memory stays as it is. One with ``at_reviews = True`` learns from the screenings of its own trial: at
    the reviews of the design it is shown these and who waits, and what it then remembers is the memory until the next.
    """

    name: str
    reference: str
    decides_on: str
    as_they_come: bool
    """Whether candidates are called in the order of their contacts; :meth:`decide` is then never asked."""

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return a whole number for each candidate, and what to remember."""
        ...


NOTHING, DISCONTINUE, REDUCE, INTERRUPT = range(4)
"""What is done about the treatment of a patient, after an adverse event or at a visit."""


@dataclass(frozen=True)
class VisitView:
    """What is known of patients at visits that they come to while on treatment; nothing in it is later than the visit.

    Neither the arm nor an outcome is among it. Arrays have a row for each patient asked about.

    Parameters
    ----------
    replicate, patient
        Number of the trial, and the patient's key in it.
    visit
        Number of the visit from 0.
    days
        Since randomisation.
    events
        Adverse events from randomisation to the visit, ``[row, term, level]``.
    serious
        How many of them were serious.
    dose
        Level of the dose, 0 for the full one.
    terms, levels
        Names of the adverse events and of their severities, from the mildest.
    doses
        How many levels of the dose there are.
    seed
        For policies that draw at a patient's address; it follows from the seed of the run, not the other way round.
    latent, traits
        Latent traits in units of their standard deviations, ``[row, trait]``, and their names; empty but for policies that
        declare ``reads_latent``.
    """

    replicate: Ints
    patient: Ints
    visit: Ints
    days: Floats
    events: Ints
    serious: Ints
    dose: Ints
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    doses: int
    seed: int
    latent: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    traits: tuple[str, ...] = ()

    def of(self, rows: Ints) -> VisitView:
        """Return the view of some of the patients."""
        arrays = ["replicate", "patient", "visit", "days", "events", "serious", "dose"]
        arrays += ["latent"] if self.latent.size else []
        chosen: dict[str, Any] = {name: getattr(self, name)[rows] for name in arrays}
        return replace(self, **chosen)


class MonitoringPolicy(Protocol):
    """Decides at visits what is done about a patient; it is shown all that has happened to this patient."""

    name: str
    reference: str
    decides_on: str

    def decide(self, view: VisitView, memory: Memory) -> tuple[Ints, Memory]:
        """Return :data:`NOTHING`, :data:`REDUCE` or :data:`DISCONTINUE` for each row, and what to remember of it."""
        ...


class StoppingPolicy(Protocol):
    """Decides at looks."""

    name: str
    reference: str
    decides_on: str

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the decision for each replicate of the view, and what to remember."""
        ...


class RandomisationPolicy(Protocol):
    """Decides at reviews how the next patients are allocated."""

    name: str
    reference: str
    decides_on: str
    adaptive: bool

    def decide(self, view: AllocationView, memory: Memory) -> tuple[Decision, Memory]:
        """Return the weights for each replicate of the view, and what to remember."""
        ...


@dataclass(frozen=True)
class LogRow:
    """One entry of an event log.

    Parameters
    ----------
    tick
        When, in ticks since the start of accrual.
    kind
        What.
    id
        Of whom: patient, look, review or arm.
    part
        Index of the endpoint or test concerned, 0 where there is none.
    value
        What came out: arm, outcome, z, weight or :class:`Stop` code.
    """

    tick: int
    kind: Kind
    id: int
    part: int = 0
    value: float = 0.0

    @property
    def order(self) -> tuple[int, int, int, int]:
        """The key by which logs are sorted."""
        return (self.tick, int(self.kind), self.id, self.part)


class BoundsFollower(Protocol):
    """Bounds as a function of the events or read-outs seen at the looks."""

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Planned counts by look, at which the planned bounds hold; None where none are planned."""
        ...

    @property
    def maximum(self) -> int:
        """Planned events or read-outs at the last look, of which each look has seen a fraction."""
        ...

    def at(self, seen: tuple[int, ...], last: bool) -> tuple[float, float]:
        """Return the efficacy and futility bound of a look from the counts up to it; ``last``: none is planned after."""
        ...


@dataclass(frozen=True)
class SizeView:
    """What the rule that re-estimates a size sees at a look, each ``[replicate]`` unless said otherwise.

    Parameters
    ----------
    look
        Index of the look from 0.
    seen
        Read-outs or events at the look, both arms together.
    further
        How many of them more than first planned the design waits for, by earlier looks.
    z
        Statistic of all data, positive in favour of treatment.
    combined_z
        The weighted statistic of the stages, which is tested.
    half_information
        ``n_c n_t / (n_c + n_t)``: information where the standard deviation is 1. Of events, what the planned shares of the
        arms make of their number (Schoenfeld 1981).
    sd
        Standard deviation of one read-out, from the standard error of the estimate; 1 for events.
    moments
        Read-outs of both arms, for rules that are blinded to which is which; None for the others.
    early_z
        Statistic of another endpoint, for rules that go by it; None for the others.
    """

    look: Ints
    seen: Ints
    further: Ints
    z: Floats
    combined_z: Floats
    half_information: Floats
    sd: Floats
    moments: Moments | None = None
    early_z: Floats | None = None


class SizeRule(Protocol):
    """Re-estimates the size of a trial at its looks."""

    @property
    def looks(self) -> tuple[int, ...]:
        """Indices of the looks at which it is asked."""
        ...

    @property
    def blinded(self) -> bool:
        """Whether it sees the moments of the read-outs, and not which arm is which."""
        ...

    def further_counts(self, view: SizeView) -> tuple[Ints, Floats]:
        """Return how many counts more than first planned to wait for, and the conditional power as things stand.

        The conditional power is that of the next look if the size stays as it is; not a number where there is none.
        """
        ...


@dataclass(frozen=True)
class Resizing:
    """How a design re-estimates its size.

    Parameters
    ----------
    rule
        What decides.
    rates
        Planned information rates, from which the weights of the stages follow, ``[look]``.
    combines
        Whether the stages are tested by their weighted combination; otherwise by the statistic of all data.
    counts
        Planned read-outs, or events, ``[look]``.
    counted_per_information
        Read-outs or events of both arms for one unit of information where the standard deviation is 1.
    by_events
        Whether it is events that are counted: enrolment is then as planned, and stages are weighed by the log-rank score.
    """

    rule: SizeRule
    rates: Floats
    combines: bool
    counts: tuple[int, ...]
    counted_per_information: float
    by_events: bool = False


@dataclass(frozen=True)
class AdverseEventsCounted:
    """Which adverse events a test is about.

    Parameters
    ----------
    terms
        Numbers of the terms.
    least
        Lowest level of severity that counts, from 1.
    serious
        Whether serious ones alone count.
    worst
        Whether the worst level of each patient is analysed, in place of how many there were.
    within
        Ticks since randomisation in which they count; only patients followed for as long, or who have left, are then
        analysed. None for as long as they are followed.
    """

    terms: tuple[int, ...]
    least: int
    serious: bool
    worst: bool
    within: int | None


@dataclass(frozen=True)
class TestPlan:
    """One test of a design, resolved.

    Parameters
    ----------
    name
        Of the hypothesis.
    endpoint
        Index of the endpoint.
    treatment, control
        Indices of the arms in the design.
    analysis
        The registered analysis.
    options
        Its options.
    lower_is_better
        Direction of benefit.
    efficacy_z, futility_z
        Bounds by look.
    alpha
        One-sided level.
    strata
        Covariates by which the analysis is stratified.
    by_site
        Whether it is stratified by the patients' sites too.
    follow_up
        Days of follow-up to which the true hazard ratio refers.
    strategy
        How intercurrent events are handled.
    window
        Ticks after the last dose that count as on treatment, where only those count.
    covariates
        Covariates that the analysis adjusts for.
    score
        Coefficients of a prognostic score that the analysis adjusts for, by covariate.
    follower
        Gives the bounds for what was seen in place of what was planned; None where the planned ones stay.
    adverse_events
        What is counted where the test is about adverse events; ``endpoint`` is then that of the design's first test.
    """

    name: str
    endpoint: int
    treatment: int
    control: int
    analysis: Analysis
    options: Mapping[str, Any]
    lower_is_better: bool
    efficacy_z: Sequence[float]
    futility_z: Sequence[float]
    alpha: float
    strata: tuple[str, ...] = ()
    by_site: bool = False
    follow_up: float = 18262.5
    strategy: str = "treatment_policy"
    window: int = 0
    covariates: tuple[str, ...] = ()
    score: Mapping[str, float] = field(default_factory=dict)
    follower: BoundsFollower | None = None
    adverse_events: AdverseEventsCounted | None = None
