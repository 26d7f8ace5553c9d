"""How the measures count a trial in which an analysis failed, told after what it concluded."""

from __future__ import annotations

from trialsim.report.story_replay import Replay
from trialsim.report.story_words import listed


def failure_sentences(replay: Replay) -> list[str]:
    """Return how the measures count each hypothesis for which the trial failed; nothing where no analysis did.

    A trial that ended at a look fails for every hypothesis, as :mod:`trialsim.oc.rejections` has it.

    Parameters
    ----------
    replay
        The replicate.
    """
    own = [int(replay.trial[f"failed_look:{test.name}"]) for test in replay.plan.tests]
    whole = min((look for look in own if look), default=0) if replay.trial["status"] else 0
    at_looks: dict[int, list[str]] = {}
    not_rejected: list[str] = []
    for place, test in enumerate(replay.plan.tests):
        if not (look := whole or own[place]):
            continue
        if not replay.truths[place].null:
            not_rejected.append(test.name)
            continue
        before = int(replay.trial[f"reject_look:{test.name}"])
        at_looks.setdefault(min(look, before or look), []).append(test.name)
    said = [
        f"{listed(names)} as rejected from look {look} on, since there is no benefit in truth"
        for look, names in sorted(at_looks.items())
    ]
    if not_rejected:
        said.append(f"{listed(not_rejected)} as not rejected, since there is a benefit in truth")
    return [f"As an analysis failed, the measures count {'; '.join(said)}."] if said else []
