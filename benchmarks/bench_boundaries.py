"""One group sequential design of five looks with beta spending, from Python, warm."""

from __future__ import annotations

import time
from typing import Any

from measure import REFERENCE_CALIBRATION, calibration

from trialsim.designs import Boundaries, group_sequential

TARGET = 0.5
"""Milliseconds at the calibration for which targets are stated."""
REPEATS = 500
LOOKS = [0.2, 0.4, 0.6, 0.8, 1.0]
DESIGN: dict[str, Any] = {
    "efficacy": "lan_demets_obrien_fleming",
    "futility": "hwang_shih_decani",
    "futility_parameter": -2,
}


def solved(binding: bool) -> tuple[float, Boundaries]:
    """Return the fewest milliseconds one design took, and the design."""
    found = group_sequential(LOOKS, **DESIGN, futility_binding=binding)
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = group_sequential(LOOKS, **DESIGN, futility_binding=binding)
        best = min(best, time.perf_counter() - start)
    assert abs(found.power - 0.9) < 1e-9, found.power
    assert abs(found.stage_futility_h1.sum() - 0.1) < 1e-9, found.stage_futility_h1
    return best * 1e3, found


if __name__ == "__main__":
    before = calibration()
    taken = {binding: solved(binding) for binding in (False, True)}
    unit = 0.5 * (before + calibration())
    print("boundaries, 5 looks, Lan-DeMets O'Brien-Fleming, beta spending by Hwang-Shih-DeCani (-2)")
    for binding, (milliseconds, found) in taken.items():
        print(f"  {'binding' if binding else 'non-binding'}: inflation factor {found.inflation_factor:.10f}")
        print(f"    {milliseconds:.3f} ms a design, bounds, errors and characteristics, on one core, warm")
        scaled = milliseconds * REFERENCE_CALIBRATION / unit
        print(
            f"    {scaled:.3f} ms where a Philox double takes {REFERENCE_CALIBRATION} ns; target {TARGET} ms"
        )
    print(f"  calibration {unit:.2f} ns a Philox double")
