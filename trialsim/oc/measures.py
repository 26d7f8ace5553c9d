"""What each operating characteristic means, and the row that reports one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from trialsim.oc.montecarlo import MonteCarlo
from trialsim.oc.recruitment_words import RECRUITMENT_COUNTS, RECRUITMENT_TIMES

PROBABILITY = "probability"
PATIENTS = "patients"
EVENTS = "events"
DAYS = "days"
PER_YEAR = "per patient-year"
OF_THE_ESTIMATE = "unit of the estimate"
MONEY = "currency of the scenario"

SIZES = ("enrolled", "analysed", "pipeline", "overrun", "events")
SIZE_CHANGES = ("lowered", "unchanged", "raised")
TIMES = ("duration", "decision_time", "last_visit_time")
QUANTILES = {"median": 0.5, "p10": 0.1, "p90": 0.9}


@dataclass(frozen=True, slots=True)
class Definition:
    """What a measure is: its name, its unit and a sentence."""

    name: str
    unit: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One operating characteristic of one design under one truth; what does not apply is ``None``.

    `n` counts the replicates in the value, none in a true value. `n_failed` counts those that failed: in a probability
    they are counted in as the definition says, from a mean they are left out.
    """

    design: str
    truth: str
    name: str
    hypothesis: str | None
    arm: str | None
    subgroup: str | None
    site: str | None
    look: int | None
    reason: str | None
    unit: str
    value: float
    mcse: float | None
    lower: float | None
    upper: float | None
    n: int
    n_failed: int

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Return the row as it stands in JSON."""
        return {name: getattr(self, name) for name in MEASURE_KEYS}


MEASURE_KEYS = tuple(field.name for field in fields(Measure))


def measure(
    design: str,
    truth: str,
    name: str,
    found: MonteCarlo,
    *,
    unit: str,
    n_failed: int = 0,
    hypothesis: str | None = None,
    arm: str | None = None,
    subgroup: str | None = None,
    site: str | None = None,
    look: int | None = None,
    reason: str | None = None,
) -> Measure:
    """Return a row of a Monte Carlo value."""
    return Measure(design, truth, name, hypothesis, arm, subgroup, site, look, reason, unit, *found, n_failed)


def definitions() -> tuple[Definition, ...]:
    """Every measure, in the order in which they are reported."""
    return tuple(_definitions())


def definition(name: str) -> Definition:
    """Return the definition of a measure; a date in brackets after the name is ignored."""
    plain = name.partition("[")[0]
    for entry in _definitions():
        if entry.name == plain:
            return entry
    raise KeyError(name)


_FAILED_PROBABILITY = "A failed replicate counts as rejecting a true null and as not rejecting a false one."
_FAILED_MEAN = "Failed replicates are left out."
_FAILED_TIME = "Trials without any, and failed replicates, are left out."

_MEANS = {
    "enrolled": (
        PATIENTS,
        "Mean number of patients randomised by the end of randomisation, the pipeline included.",
    ),
    "analysed": (
        PATIENTS,
        "Mean number of patients known of the primary endpoint at the cut of the last look taken: read out, or of a "
        "survival endpoint randomised, whatever the strategy of a hypothesis makes of them; 0 of a trial without any look.",
    ),
    "pipeline": (
        PATIENTS,
        "Mean number of patients randomised by the deciding data cut whose primary outcome was not known then "
        "and could still become known: who was lost, withdrew or died without it is not one of them.",
    ),
    "overrun": (
        PATIENTS,
        "Mean number of patients randomised after the deciding data cut; of a trial without a deciding look, none.",
    ),
    "events": (
        EVENTS,
        "Mean number of events of the primary endpoint known at the deciding data cut, all of them, also those that the "
        "strategy of a hypothesis keeps out of its test.",
    ),
    "duration": (
        DAYS,
        "Mean time from the first possible patient (the start of accrual) to the data lock of the deciding "
        "analysis; of a trial without a deciding look, to its end at the horizon.",
    ),
    "decision_time": (
        DAYS,
        "Mean time from the start of accrual to the decision, which follows the data lock; of a trial without a deciding "
        "look, to its end at the horizon.",
    ),
    "last_visit_time": (
        DAYS,
        "Mean time from the start of accrual to the last read-out of a binary or continuous endpoint among all patients "
        "randomised, or the end of follow-up before it, at least the deciding data cut: it can come after the decision. "
        "Scheduled visits and follow-up for events do not count, so that with survival endpoints alone it is the data cut.",
    ),
}
_QUANTILE_WORDS = {"median": "Median", "p10": "10th percentile", "p90": "90th percentile"}


def _definitions() -> Iterator[Definition]:
    yield from _rejection()
    for name, (unit, sentence) in _MEANS.items():
        yield Definition(name, unit, f"{sentence} {_FAILED_MEAN}")
        for suffix, word in _QUANTILE_WORDS.items():
            yield Definition(
                f"{name}_{suffix}", unit, f"{word} of what `{name}` is the mean of. {_FAILED_MEAN}"
            )
    yield from _stopping()
    yield from _sizes_reestimated()
    yield from _estimation()
    yield from _by_arm()
    yield from _missing()
    yield from recruitment_definitions()
    yield from _costs()
    yield from _lives()


def _rejection() -> Iterator[Definition]:
    yield Definition(
        "reject",
        PROBABILITY,
        "Probability that the hypothesis is rejected: power, or type I error under its null. "
        f"{_FAILED_PROBABILITY}",
    )
    yield Definition(
        "reject_any",
        PROBABILITY,
        "Probability that at least one hypothesis is rejected; where every null is true (the global null) "
        f"this is the familywise error. {_FAILED_PROBABILITY}",
    )
    yield Definition(
        "familywise_error",
        PROBABILITY,
        "Probability that at least one true null is rejected; reported where there is one. A failed "
        "replicate counts as an error.",
    )
    yield Definition(
        "power_disjunctive",
        PROBABILITY,
        "Probability that at least one false null is rejected; reported where there is one. A failed "
        "replicate counts as not rejecting.",
    )
    yield Definition(
        "power_conjunctive",
        PROBABILITY,
        "Probability that all false nulls are rejected; reported where there is one. A failed replicate "
        "counts as not rejecting.",
    )
    yield Definition(
        "reject_by_look",
        PROBABILITY,
        "Probability that the hypothesis is rejected at this look or before; at the last look it is `reject`. A failed "
        "replicate counts as rejecting a true null from the look on at which its analysis failed, and as not rejecting a "
        "false one.",
    )
    yield Definition(
        "not_analysed",
        PROBABILITY,
        "Probability that the trial ends without any analysis of the hypothesis, at its horizon or because it stopped for "
        "another; reported where one does. Such a replicate has not failed: it does not reject, and has no estimate.",
    )
    yield Definition(
        "no_result",
        PROBABILITY,
        "Probability that the analysis of the hypothesis at this look could not be computed, for the reason given or, "
        "without one, for any; among the trials that analyse it there (n), reported where one cannot. The replicate fails "
        "where this is the last look to analyse the hypothesis while it is undecided; otherwise it goes on.",
    )


def _stopping() -> Iterator[Definition]:
    yield Definition(
        "look_time",
        DAYS,
        "Mean time from the start of accrual to the look's data cut, among the trials that reach the look. "
        f"{_FAILED_MEAN}",
    )
    yield Definition(
        "finished_by",
        PROBABILITY,
        "Probability that the deciding data lock, or the end at the horizon of a trial without one, is at or before the "
        "date in brackets, counted from the start of accrual. A failed replicate counts as not finished.",
    )
    yield Definition(
        "stop",
        PROBABILITY,
        "Probability that the trial ends at this look for this reason (`horizon`: at no look, but at the "
        "latest date of the scenario; `failed`: the replicate failed). Over looks and reasons they add up "
        "to 1; without a look: at any look.",
    )
    yield Definition(
        "stop_early",
        PROBABILITY,
        "Probability that the trial stops at a look before the last planned one; reported where there are "
        "several looks. A failed replicate counts as not stopping early.",
    )


def _sizes_reestimated() -> Iterator[Definition]:
    sentence = (
        f"Mean number of patients that the design came to plan; reported where sizes change. {_FAILED_MEAN}"
    )
    yield Definition("size", PATIENTS, sentence)
    for suffix, word in _QUANTILE_WORDS.items():
        yield Definition(f"size_{suffix}", PATIENTS, f"{word} of what `size` is the mean of. {_FAILED_MEAN}")
    sentence = (
        "Mean number of events that the design came to wait for at its last look; reported where it changes. "
        f"{_FAILED_MEAN}"
    )
    yield Definition("events_awaited", EVENTS, sentence)
    for suffix, word in _QUANTILE_WORDS.items():
        yield Definition(
            f"events_awaited_{suffix}",
            EVENTS,
            f"{word} of what `events_awaited` is the mean of. {_FAILED_MEAN}",
        )
    yield Definition(
        "size_becomes",
        PROBABILITY,
        "Probability that the size, in patients or events, ends `lowered`, `unchanged` or `raised` against the plan, as "
        "the reason says; replicates that failed are counted as they ended.",
    )
    yield Definition(
        "reject_by_size",
        PROBABILITY,
        "Probability that the hypothesis is rejected among trials whose size was lowered, unchanged or raised. "
        f"{_FAILED_PROBABILITY}",
    )
    yield Definition(
        "reject_with_overrun",
        PROBABILITY,
        "Probability that the p value of all data, those after the stop included, is at or below alpha, by the method "
        "that the reason names: `deletion` or `combination`; reported where a design analyses them. A trial that "
        f"reaches no look does not reject. {_FAILED_PROBABILITY}",
    )
    yield Definition(
        "overrun_added",
        PATIENTS,
        "Mean number of read-outs, or of events, that the look which ended the trial did not have and the analysis of all "
        f"data has. {_FAILED_MEAN}",
    )
    yield Definition(
        "events_untested",
        EVENTS,
        "Mean number of events known at the last look that came after the end of their stage, so that none tests them; "
        f"among trials that reach it, reported where stages are split by patients. {_FAILED_MEAN}",
    )


def _estimation() -> Iterator[Definition]:
    left_out = (
        "Replicates that failed or have no estimate are left out and counted as failed; those that ended without analysing "
        "the hypothesis are left out and did not fail."
    )
    yield Definition(
        "true_value",
        OF_THE_ESTIMATE,
        "True value of the hypothesis' estimand under its strategy for intercurrent events, with which estimates are "
        "compared. No replicate is in it (n is 0); it has a Monte Carlo error where it comes from the potential outcomes "
        "of 100,000 patients, and none where the laws alone give it. Left out where it is not computed.",
    )
    yield Definition(
        "estimate",
        OF_THE_ESTIMATE,
        f"Mean of the hypothesis' named estimator at its last analysis. {left_out}",
    )
    yield Definition(
        "bias",
        OF_THE_ESTIMATE,
        "Mean of the named estimator minus the true value of the named estimand; with a reason: among "
        "trials that ended for it. The reason is the trial's: `efficacy` where any hypothesis was rejected, "
        f"though it be another one. {left_out}",
    )
    yield Definition(
        "rmse",
        OF_THE_ESTIMATE,
        "Root of the mean squared difference between the estimator and the estimand's true value. "
        f"{left_out}",
    )
    yield Definition(
        "coverage",
        PROBABILITY,
        "Probability that the Wald interval, estimate plus or minus 1.959964 standard errors, holds the "
        "true value. A replicate that failed or has no estimate counts as not covering; those that ended without analysing "
        "the hypothesis are left out, and where all did, nothing is reported.",
    )


def recruitment_definitions() -> Iterator[Definition]:
    """Yield the definitions of what is reported in a world with sites."""
    for name, (unit, sentence) in RECRUITMENT_COUNTS.items():
        yield Definition(name, unit, f"{sentence} {_FAILED_MEAN}")
    for name, sentence in RECRUITMENT_TIMES.items():
        yield Definition(name, DAYS, f"{sentence} {_FAILED_TIME}")
        for suffix, word in _QUANTILE_WORDS.items():
            told = f"{word} over trials of what `{name}` is the mean of."
            yield Definition(f"{name}_{suffix}", DAYS, f"{told} {_FAILED_TIME}")
    yield Definition(
        "refusal_rate",
        "share",
        "Mean over trials of refusals over answers to the question for consent (refusals and screenings begun); each "
        f"attempt counts. {_FAILED_TIME}",
    )
    yield Definition(
        "screen_failure_rate",
        "share",
        "Mean over trials of screenings that failed over screenings with an outcome (failed or randomised); each attempt "
        "counts, also of those who came again and passed; with a reason: those that failed for it. Trials without any, and "
        "failed replicates, are left out.",
    )
    yield Definition(
        "site_randomised", PATIENTS, f"Mean number of patients randomised at the site. {_FAILED_MEAN}"
    )
    yield Definition(
        "subgroup_of_eligible",
        "share",
        "Mean over trials of the subgroup's share of the candidates who came and were eligible. Trials without any, "
        "and failed replicates, are left out.",
    )
    yield Definition(
        "subgroup_of_randomised",
        "share",
        "Mean over trials of the subgroup's share of the patients randomised. Trials without any, and failed "
        "replicates, are left out.",
    )


def _costs() -> Iterator[Definition]:
    yield Definition(
        "cost",
        MONEY,
        "Mean cost of the trial up to the decision, discounted to the start of accrual where the scenario says so; "
        f"reported where the scenario has costs. {_FAILED_MEAN}",
    )
    for suffix, word in _QUANTILE_WORDS.items():
        yield Definition(f"cost_{suffix}", MONEY, f"{word} of what `cost` is the mean of. {_FAILED_MEAN}")
    yield Definition(
        "cost_component",
        MONEY,
        "Mean of the part of the cost that the reason names: `sites`, `screening`, `patients`, `visits`, "
        f"`adverse_events`, `looks`, `running`; they add up to `cost`. {_FAILED_MEAN}",
    )


def _by_arm() -> Iterator[Definition]:
    yield Definition(
        "arm_enrolled", PATIENTS, f"Mean number of patients randomised to the arm. {_FAILED_MEAN}"
    )
    yield Definition(
        "arm_dropped",
        PROBABILITY,
        "Probability that the arm is closed at a look; reported where the design ever closes one. Failed "
        "replicates are counted as they ended.",
    )
    yield Definition(
        "arm_selected",
        PROBABILITY,
        "Probability that the arm is still open after this interim look, in a trial that goes on to a later one; reported "
        "where the design ever closes an arm. A failed replicate counts as not.",
    )
    yield Definition(
        "on_best_arm",
        PATIENTS,
        f"Mean number of patients randomised to the arm that is best under this truth. {_FAILED_MEAN}",
    )
    yield Definition(
        "on_best_arm_share",
        "share",
        f"Mean over replicates of the share of patients randomised to the best arm. {_FAILED_MEAN}",
    )


def _missing() -> Iterator[Definition]:
    reported = "Reported where the scenario has anything by which patients leave, or has read-outs at visits."
    yield Definition(
        "missing",
        PATIENTS,
        "Mean number of patients of the arm, or without one of all arms, randomised by the deciding data cut whose "
        "outcome of the primary endpoint (that of the design's first test) was not known then and could not become known "
        "any more: they were `lost` to follow-up, had `withdrawn` consent, had `died`, or no visit held could read it "
        "out (`visits_missed`), as the reason says; without one, any of these. Of a survival endpoint those whose "
        "follow-up ended so before the cut without its event; who was followed to the cut, or to the last visit, is not "
        "one of them. Nor is whom the `composite` strategy of that test takes for a failure, for discontinuation or "
        "death; nor whose read-out was known and another strategy leaves out. Of an endpoint that is read out, those "
        "known at the cut, those who count as failures and can have no read-out any more, `pipeline` and `missing` are "
        f"together all patients randomised by then. {reported} {_FAILED_MEAN}",
    )
    yield Definition(
        "outcomes_missing",
        "share",
        "Mean over trials of the share of patients whose outcome of the primary endpoint is `missing` among those due, "
        "in the arm or without one in all arms: due are patients whose time of read-out had come by the deciding data "
        "cut and who are not in the `pipeline`; of a survival endpoint, all randomised by then. Trials without anybody "
        f"due are left out. {reported} {_FAILED_MEAN}",
    )


def _lives() -> Iterator[Definition]:
    at_cut = f"By the deciding data cut. {_FAILED_MEAN}"
    rate = (
        "per patient-year at risk in the arm, with the severity as reason or of all severities: the sum over terms of all "
        f"replicates' events over all their years at risk. {at_cut}"
    )
    yield Definition("adverse_events", PER_YEAR, f"Adverse events {rate}")
    yield Definition("serious_adverse_events", PER_YEAR, f"Serious adverse events {rate}")
    yield Definition(
        "discontinued",
        PATIENTS,
        f"Mean number of patients of the arm who discontinue treatment for the reason. {at_cut}",
    )
    yield Definition(
        "deaths",
        PATIENTS,
        f"Mean number of patients of the arm who die of the cause given as reason. {at_cut}",
    )
    yield Definition(
        "lost",
        PATIENTS,
        f"Mean number of patients of the arm lost to follow-up; reported where any can be. {at_cut}",
    )
    yield Definition(
        "withdrawn",
        PATIENTS,
        f"Mean number of patients of the arm who withdraw consent; reported where any can. {at_cut}",
    )
    yield Definition(
        "visits_missed",
        "share",
        f"Visits of the arm that are missed, over all that are due while patients are followed. {at_cut}",
    )
