"""Policies compared in the same trials: tables and what has to be said of them."""

from __future__ import annotations

from collections.abc import Sequence

from trialsim.oc.policies_compared import PolicyCompared
from trialsim.report.rankings import eligible_shares, measures_table
from trialsim.report.tables import TextTable

_FIRST = {
    "months": "months",
    "months_to_last_patient_in": "months to last patient in",
    "patients": "patients",
    "cost": "cost, thousands",
}
_FURTHER = {
    "screen_failure_rate": "screen failures",
    "on_best_arm": "share on the best arm",
    "events": "events",
    "adverse_events_per_patient": "adverse events a patient",
    "serious_adverse_events_per_patient": "serious ones a patient",
    "deaths_per_patient": "deaths a patient",
}
_RESPONDERS = {"responders": "in all", "responders_per_patient": "a patient enrolled"}
_ON_ARM = "responders on "


def policy_tables(title: str, compared: Sequence[PolicyCompared]) -> list[TextTable]:
    """Return the tables of a comparison; second lines are differences from the first policy, paired by replicate.

    Parameters
    ----------
    title
        Of the first table.
    compared
        The policies.
    """
    names = [each.name for each in compared[0].estimates]
    first = {name: text for name, text in _FIRST.items() if name in names}
    first |= {name: name for name in names if name.startswith("rejects ")}
    further = {name: text for name, text in _FURTHER.items() if name in names}
    if not any(each.difference("on_best_arm").value for each in compared if "on_best_arm" in further):
        further.pop("on_best_arm", None)  # allocation is the same
    further |= {name: name for name in names if name.endswith(" of enrolled")}
    tables = [measures_table(title, "policy", compared, first)]
    if further:
        tables.append(
            measures_table("patients: screening, arms, safety, who got in", "policy", compared, further)
        )
    responded = {name: text for name, text in _RESPONDERS.items() if name in names}
    responded |= {name: name.removeprefix("responders ") for name in names if name.startswith(_ON_ARM)}
    if responded:
        tables.append(measures_table("responders by the deciding cut", "policy", compared, responded))
    return tables


def policy_sentences(compared: Sequence[PolicyCompared], uncertified: Sequence[str]) -> list[str]:
    """Return what is said below the tables.

    Parameters
    ----------
    compared
        The policies.
    uncertified
        Labels of learned ones that may change an error.
    """
    found = [
        "Monte Carlo standard errors in parentheses; second lines: difference from the first, paired by trial."
    ]
    if shares := eligible_shares(compared):
        found.append(shares)
    if uncertified:
        found.append(
            f"Nothing here certifies the error of {', '.join(uncertified)}: `trialsim certify` does, and "
            "`trialsim run` asks for it."
        )
    return found
