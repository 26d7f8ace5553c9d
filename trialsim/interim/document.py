"""A look at a real trial as plain data, for JSON."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from trialsim.interim.result import InterimAnalysis
from trialsim.interim.sentences import notes, recommendation


def document(found: InterimAnalysis) -> dict[str, Any]:
    """Return plain data for JSON: see ``schemas/analyse.json``; what is infinite is None."""
    place = found.look - 1
    return {
        "analysis": found.design.analysis,
        "look": found.look,
        "is_last": found.is_last,
        "unit": found.design.unit,
        "counted": found.counted,
        "maximum": found.design.maximum,
        "information_rate": float(found.bounds.information_rates[place]),
        "n": {arm: int((found.data.treated == place).sum()) for place, arm in enumerate(found.design.arms)},
        "missing": found.data.missing,
        "estimate": found.estimate,
        "se": found.se,
        "z": found.z,
        "nominal_p": found.nominal_p,
        "information_rates": found.bounds.information_rates.tolist(),
        "efficacy_z": [_finite(each) for each in found.bounds.efficacy_z.tolist()],
        "futility_z": [_finite(each) for each in found.bounds.futility_z.tolist()],
        "alpha_spent": found.bounds.alpha_spent.tolist(),
        "decision": found.decision,
        "conclusions": [
            {field.name: _finite(getattr(each, field.name)) for field in fields(each)}
            for each in found.conclusions
        ],
        "chances": found.chances,
        "recommendation": recommendation(found),
        "notes": list(notes(found)),
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
