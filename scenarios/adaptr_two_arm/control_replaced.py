"""The design "A2" of adaptr, in which an arm superior to control becomes the control, and why it is no scenario here.

``python control_replaced.py`` simulates three arms with rates 0.40, 0.30 and 0.36 of an undesirable outcome, looks every
200 to 1,200 patients, control at its square-root share, the others by their probability of being the best; superior above
0.99, inferior below 0.01. adaptr 1.4.0 gives P(superior) 0.4139 (0.0049) and 1,031.9 patients (2.8) over 10,000 trials.
The script gives as much where a superior arm becomes the control and has to beat the arm that is left, too, and something
else where the trial ends with the first superior arm, as rules of trialsim have it. It shares nothing with the package.
"""

from __future__ import annotations

import numpy as np

RATES, LOOKS, TRIALS, DRAWS = np.array([0.40, 0.30, 0.36]), range(200, 1201, 200), 1500, 1500


def root_share(others):
    """Return control's share beside so many other arms."""
    return np.sqrt(others) / (others + np.sqrt(others))


def trial(rng, replaced):
    """Return patients, and whether one arm was shown superior to all others."""
    n, y = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
    active, control, is_first = np.ones(3, dtype=bool), 0, True
    kept = root_share(2)
    chance = np.array([kept, (1 - kept) / 2, (1 - kept) / 2])
    for look in LOOKS:
        came = rng.multinomial(look - n.sum(), chance)
        n += came
        y += rng.binomial(came, RATES)
        draws = rng.beta(1 + y[:, None], 1 + n[:, None] - y[:, None], (3, DRAWS))
        again = True
        while again:
            again = False
            better = np.array([(draws[arm] < draws[control]).mean() for arm in range(3)])
            others = active & (np.arange(3) != control)
            active &= ~(others & (better < 0.01))
            superior = np.flatnonzero(others & (better > 0.99))
            if len(superior):
                if not replaced:
                    return look, True
                active[control] = False
                control, is_first, again = superior[better[superior].argmax()], False, True
            if active.sum() == 1:
                return look, True
            if is_first:  # equivalence is asked of the first control alone
                near = np.array([(np.abs(draws[arm] - draws[control]) < 0.05).mean() for arm in range(3)])
                active &= ~(active & (np.arange(3) != control) & (near > 0.9))
                if active.sum() == 1:
                    return look, False
        best = np.bincount(np.where(active[:, None], draws, 9.0).argmin(axis=0), minlength=3) / DRAWS
        others = active & (np.arange(3) != control)
        kept = root_share(others.sum())
        weight = np.where(others, best, 0.0)
        weight = weight if weight.sum() > 0 else others.astype(float)
        chance = (1 - kept) * weight / weight.sum()
        chance[control] = kept
    return LOOKS[-1], False


def main():
    """Print both."""
    for replaced in (True, False):
        rng = np.random.default_rng(1)
        found = np.array([trial(rng, replaced) for _ in range(TRIALS)], dtype=float)
        error = found.std(axis=0) / np.sqrt(TRIALS)
        told = "a superior arm becomes the control" if replaced else "the first superior arm ends the trial"
        share, patients = found[:, 1].mean(), found[:, 0].mean()
        print(f"{told}: P(superior) {share:.3f} ({error[1]:.3f}), patients {patients:.0f} ({error[0]:.0f})")


if __name__ == "__main__":
    main()
