"""Why a test has no estimate at a look: its status in words, and which diagnostic a sampler's chains failed."""

from __future__ import annotations

from trialsim.contracts import Floats, Status, TestPlan


def why_no_estimate(test: TestPlan, status: Status, chains: Floats | None) -> str:
    """Return a status in words, of chains that failed with what they failed.

    Parameters
    ----------
    test
        The test.
    status
        Of its estimate.
    chains
        What the chains of its model are judged by; None where it is not known.
    """
    failed_by = getattr(getattr(test.analysis, "model", None), "failed_by", None)
    if status is not Status.CHAINS_FAILED or chains is None or failed_by is None:
        return status.sentence
    failed = failed_by(chains)
    return f"{status.sentence}, because {failed}" if failed else status.sentence
