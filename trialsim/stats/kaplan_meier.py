"""The Kaplan-Meier estimate of each arm at a time, and its mean up to there, with Greenwood's variances."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


@kernel
def kaplan_meier(
    offsets, treated, time, event, until, n_out, longest, survival, survival_variance, mean, mean_variance
):
    """Fill survival at a time and mean survival time up to it, of both arms of each replicate.

    Kaplan and Meier, JASA 53, 1958, 457-481; Greenwood 1926; the mean's variance as in Klein and Moeschberger, Survival
    Analysis, 2003, equation 4.5.2. At the time itself events have happened. After the last patient's event survival is 0,
    after the last patient's censoring the curve goes on as it is: ``longest`` tells whether that was needed.

    Parameters
    ----------
    offsets, treated, time, event
        Of :class:`~trialsim.contracts.PatientRows`, ``time`` the days of follow-up.
    until
        The time since entry in days.
    n_out
        Results: patients of control and treatment, ``[replicate, 2]``.
    longest
        The longest follow-up in days, infinite where it ended with an event of everybody left; -1 in an empty arm.
    survival, survival_variance, mean, mean_variance
        Estimates and their variances; the mean in days.
    """
    for r in range(len(offsets) - 1):
        first, last = offsets[r], offsets[r + 1]
        order = first + np.argsort(time[first:last], kind="mergesort")
        ends = np.empty(last - first)
        had = np.empty(last - first, np.int64)
        steps = np.empty((last - first, 2))
        for side in range(2):
            n = 0
            for i in order:
                if treated[i] == side:
                    ends[n], had[n] = time[i], event[i]
                    n += 1
            n_out[r, side] = n
            longest[r, side] = ends[n - 1] if n > 0 else -1.0
            s, greenwood, area, before = 1.0, 0.0, 0.0, 0.0
            count = 0
            i = 0
            while i < n and ends[i] <= until:
                t = ends[i]
                at_risk = n - i
                d = 0
                while i < n and ends[i] == t:
                    d += had[i]
                    i += 1
                if d == 0:
                    continue
                area += s * (t - before)
                before = t
                left = at_risk - d
                s *= left / at_risk
                # Where nobody is left the variance of what follows, which is 0, is 0 too.
                part = d / (float(at_risk) * left) if left > 0 else 0.0
                greenwood += part
                steps[count, 0], steps[count, 1] = area, part
                count += 1
                if left == 0:
                    longest[r, side] = np.inf
            area += s * (until - before)
            survival[r, side], survival_variance[r, side] = s, s * s * greenwood
            total = 0.0
            for k in range(count):
                total += (area - steps[k, 0]) ** 2 * steps[k, 1]
            mean[r, side], mean_variance[r, side] = area, total
