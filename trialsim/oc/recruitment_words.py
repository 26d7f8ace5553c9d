"""What is counted and timed of recruitment, in words that say whether candidates or their attempts are counted."""

from __future__ import annotations

RECRUITMENT_COUNTS = {
    "candidates": (
        "candidates",
        "Mean number of candidates who came to a site and were looked at, each counted once.",
    ),
    "prescreen_failures": (
        "candidates",
        "Mean number of candidates whose records did not pass; records are looked at once.",
    ),
    "consented": (
        "candidates",
        "Mean number of candidates who consented, each counted once however often they are screened.",
    ),
    "screened": (
        "screenings",
        "Mean number of screenings begun with consent; each attempt counts, so that with rescreening there are more than "
        "`consented`.",
    ),
    "refusals": (
        "candidates",
        "Mean number of candidates who were asked and did not consent, at their first attempt or a later one.",
    ),
    "screen_failures": (
        "screenings",
        "Mean number of screenings that failed; each attempt counts, also of those who came again and passed.",
    ),
    "screened_out": (
        "candidates",
        "Mean number of candidates whose last screening failed, each counted once: `screen_failures` less `rescreenings`; "
        "with a reason: whose last screening failed for it.",
    ),
    "rescreened": (
        "candidates",
        "Mean number of candidates who came again after a failed screening, each counted once.",
    ),
    "rescreenings": (
        "attempts",
        "Mean number of times that candidates came again after a failed screening, whatever became of it.",
    ),
    "rescreened_randomised": (
        "candidates",
        "Mean number of candidates who were randomised after they had come again.",
    ),
    "withdrawals": (
        "candidates",
        "Mean number of candidates who withdrew while waiting for screening, at their first attempt or a later one.",
    ),
    "released": (
        "candidates",
        "Mean number of candidates who were waiting or under way, at any attempt, when their site or enrolment closed.",
    ),
    "sites_opened": ("sites", "Mean number of sites that opened before enrolment closed."),
    "sites_without_patients": ("sites", "Mean number of sites that opened and randomised nobody."),
    "sites_closed": (
        "sites",
        "Mean number of sites that closed before enrolment did; reported where a design closes some at reviews.",
    ),
}

RECRUITMENT_TIMES = {
    "first_patient_in": "Mean time from the first site's opening to the first randomisation.",
    "last_patient_in": "Mean time from the first site's opening to the last randomisation.",
    "days_to_consent": (
        "Mean over trials of the mean time from contact to consent; each attempt counts, from when the candidate came for "
        "it."
    ),
    "days_to_randomisation": (
        "Mean over trials of the mean time from contact to randomisation, of who came again from when they last came."
    ),
    "idle_days": (
        "Mean time that places for screening were free at open sites while enrolment went on, summed over the places; "
        "reported where their number is limited."
    ),
}
