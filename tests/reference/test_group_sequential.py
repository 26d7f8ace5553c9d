"""Group sequential bounds against rpact, gsDesign and the tables of the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trialsim.designs import Boundaries, group_sequential

HERE = Path(__file__).parent
FAMILIES = {
    "OF": "obrien_fleming",
    "Pocock": "pocock",
    "WT": "wang_tsiatis",
    "HP": "haybittle_peto",
    "LDOF": "lan_demets_obrien_fleming",
    "LDPocock": "lan_demets_pocock",
    "HSD": "hwang_shih_decani",
    "KD": "kim_demets",
}
WITHOUT_PARAMETER = {"OF", "Pocock", "LDOF", "LDPocock"}
ROWS = pd.read_csv(HERE / "gs_boundaries.csv")
CHARACTERISTICS = pd.read_csv(HERE / "gs_oc.csv")
HSD: dict[str, Any] = {
    "efficacy": "hwang_shih_decani", "efficacy_parameter": -4,
    "futility": "hwang_shih_decani", "futility_parameter": -2,
}  # fmt: skip
DESIGNS: dict[str, dict[str, Any]] = {
    "OF": {"efficacy": "obrien_fleming"},
    "WT0.25": {"efficacy": "wang_tsiatis", "efficacy_parameter": 0.25},
    "HP3": {"efficacy": "haybittle_peto"},
    "LDOF": {"efficacy": "lan_demets_obrien_fleming"},
    "LDPocock": {"efficacy": "lan_demets_pocock"},
    "LDOF+bsOF": {"efficacy": "lan_demets_obrien_fleming", "futility": "lan_demets_obrien_fleming"},
    "HSD-4+bsHSD-2": HSD,
    "KD3+bsKD2": {
        "efficacy": "kim_demets", "efficacy_parameter": 3, "futility": "kim_demets", "futility_parameter": 2,
    },
    "Pampallona-Tsiatis": {"efficacy": "obrien_fleming", "futility": "obrien_fleming"},
}  # fmt: skip


def equal_looks(n_looks: int) -> list[float]:
    return [(look + 1) / n_looks for look in range(n_looks)]


def of_rows(rows: pd.DataFrame) -> Boundaries:
    first = rows.iloc[0]
    family = FAMILIES[first.type]
    parameter = None if first.type in WITHOUT_PARAMETER else float(first.param)
    spends = first.futility != "none"
    return group_sequential(
        rows.info_rate.tolist(),
        alpha=float(first.alpha),
        power=float(first.power),
        efficacy=family,
        efficacy_parameter=parameter,
        futility=family if spends else None,
        futility_parameter=parameter if spends else None,
        futility_binding=bool(first.futility == "binding"),
    )


@pytest.mark.parametrize("design", sorted(ROWS.design_id.unique()))
def test_bounds_are_those_of_the_r_packages(design: str) -> None:
    rows = ROWS[ROWS.design_id == design]
    found = of_rows(rows)
    close = 1e-6 if rows.package.iloc[0] == "rpact" else 1e-4
    assert found.efficacy_z == pytest.approx(rows.eff_z.to_numpy(), abs=close)
    assert found.alpha_spent == pytest.approx(rows.cum_alpha_spent.to_numpy(), abs=close / 10)
    assert found.inflation_factor == pytest.approx(rows.inflation_factor.iloc[0], abs=close)
    assert found.power == pytest.approx(rows.power.iloc[0], abs=1e-10)
    if rows.futility.iloc[0] == "none":
        assert np.isneginf(found.futility_z).all()
        return
    assert found.futility_z == pytest.approx(rows.fut_z.to_numpy(), abs=close)
    assert found.beta_spent == pytest.approx(rows.cum_beta_spent.to_numpy(), abs=1e-10)
    assert np.cumsum(found.stage_futility_h1) == pytest.approx(rows.cum_beta_spent.to_numpy(), abs=1e-10)


@pytest.mark.parametrize("case", sorted(CHARACTERISTICS.oc_id.unique()))
def test_characteristics_are_those_of_rpact_and_gsdesign(case: str) -> None:
    for multiple, rows in CHARACTERISTICS[CHARACTERISTICS.oc_id == case].groupby("effect_multiple"):
        first = rows.iloc[0]
        found = group_sequential(
            rows.info_rate.tolist(),
            alpha=float(first.alpha),
            power=float(first.design_power),
            futility_binding=bool(first.futility == "binding"),
            **DESIGNS[first.design],
        )
        assert found.efficacy_z == pytest.approx(rows.eff_z.to_numpy(), abs=1e-6)
        assert found.maximum_information == pytest.approx(first.max_info, abs=1e-5)
        assert found.inflation_factor == pytest.approx(first.inflation_factor, abs=1e-6)
        effect = found.at(float(multiple))  # type: ignore[arg-type]
        assert effect.power == pytest.approx(first.power, abs=1e-7)
        assert effect.stage_reject == pytest.approx(rows.reject_stage.to_numpy(), abs=1e-7)
        assert effect.stage_reject == pytest.approx(rows.gsDesign_upper_stage.to_numpy(), abs=1e-7)
        assert effect.stage_futility == pytest.approx(rows.gsDesign_lower_stage.to_numpy(), abs=1e-7)
        expected = effect.expected_rate * found.maximum_information
        assert expected == pytest.approx(first.expected_info, abs=1e-5)
        assert expected / found.fixed_information == pytest.approx(first.expected_info_over_fixed, abs=1e-6)


LEVELS = (0.01, 0.05, 0.1)
# Jennison and Turnbull (2000), tables 2.1 and 2.3: constants of two-sided tests with equal looks, alpha 0.01, 0.05, 0.1.
# Not copied from the book: README.md beside this file says where each entry was found.
POCOCK = {
    1: (2.576, 1.960, 1.645), 2: (2.772, 2.178, 1.875), 3: (2.873, 2.289, 1.992), 4: (2.939, 2.361, 2.067),
    5: (2.986, 2.413, 2.122), 6: (3.023, 2.453, 2.164), 7: (3.053, 2.485, 2.197), 8: (3.078, 2.512, 2.225),
    9: (3.099, 2.535, 2.249), 10: (3.117, 2.555, 2.270), 11: (3.133, 2.572, 2.288), 12: (3.147, 2.588, 2.304),
    15: (3.182, 2.626, 2.344), 20: (3.225, 2.672, 2.392),
}  # fmt: skip
OBRIEN_FLEMING = {
    1: (2.576, 1.960, 1.645), 2: (2.580, 1.977, 1.678), 3: (2.595, 2.004, 1.710), 4: (2.609, 2.024, 1.733),
    5: (2.621, 2.040, 1.751), 6: (2.631, 2.053, 1.765), 7: (2.640, 2.063, 1.776), 8: (2.648, 2.072, 1.786),
    9: (2.654, 2.080, 1.794), 10: (2.660, 2.087, 1.801), 11: (2.665, 2.092, 1.807), 12: (2.670, 2.098, 1.813),
    15: (2.681, 2.110, 1.826), 20: (2.695, 2.126, 1.842),
}  # fmt: skip
# Tables 2.2 and 2.4: maximum information over that of the fixed test, by power, 2 to 10 looks.
INFLATION: dict[tuple[str, float], dict[int, tuple[float, float, float]]] = {
    ("pocock", 0.8): {
        2: (1.092, 1.110, 1.121), 3: (1.137, 1.166, 1.184), 4: (1.166, 1.202, 1.224), 5: (1.187, 1.229, 1.254),
        6: (1.203, 1.249, 1.277), 7: (1.216, 1.265, 1.296), 8: (1.226, 1.279, 1.311), 9: (1.236, 1.291, 1.325),
        10: (1.243, 1.301, 1.337),
    },
    ("pocock", 0.9): {
        2: (1.084, 1.100, 1.110), 3: (1.125, 1.151, 1.166), 4: (1.152, 1.183, 1.202), 5: (1.170, 1.207, 1.228),
        6: (1.185, 1.225, 1.249), 7: (1.197, 1.239, 1.266), 8: (1.206, 1.252, 1.280), 9: (1.215, 1.262, 1.292),
        10: (1.222, 1.271, 1.302),
    },
    ("obrien_fleming", 0.8): {
        2: (1.001, 1.008, 1.016), 3: (1.007, 1.017, 1.027), 4: (1.011, 1.024, 1.035), 5: (1.015, 1.028, 1.040),
        6: (1.017, 1.032, 1.044), 7: (1.019, 1.035, 1.047), 8: (1.021, 1.037, 1.049), 9: (1.022, 1.038, 1.051),
        10: (1.024, 1.040, 1.053),
    },
    ("obrien_fleming", 0.9): {
        2: (1.001, 1.007, 1.014), 3: (1.006, 1.016, 1.025), 4: (1.010, 1.022, 1.032), 5: (1.014, 1.026, 1.037),
        6: (1.016, 1.030, 1.041), 7: (1.018, 1.032, 1.044), 8: (1.020, 1.034, 1.046), 9: (1.021, 1.036, 1.048),
        10: (1.022, 1.037, 1.049),
    },
}  # fmt: skip
# Bounds of Lan and DeMets (1983) spending at equal looks, 0.025 on a side, to the three digits in which they are printed.
LAN_DEMETS = {
    "lan_demets_obrien_fleming": [
        (2.963, 1.969), (3.710, 2.511, 1.993), (4.333, 2.963, 2.359, 2.014), (4.877, 3.357, 2.680, 2.290, 2.031),
    ],
    "lan_demets_pocock": [
        (2.157, 2.201), (2.279, 2.295, 2.296), (2.368, 2.368, 2.358, 2.350), (2.438, 2.427, 2.410, 2.397, 2.386),
    ],
}  # fmt: skip
ROUNDED = 0.0005 + 1e-6


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("family", "table"), [("pocock", POCOCK), ("obrien_fleming", OBRIEN_FLEMING)])
def test_constants_are_those_of_jennison_and_turnbull(
    family: str, table: dict[int, tuple[float, float, float]], level: float
) -> None:
    for n_looks, printed in table.items():
        found = group_sequential(equal_looks(n_looks), alpha=level, sides=2, efficacy=family)
        assert found.efficacy_z[-1] == pytest.approx(printed[LEVELS.index(level)], abs=ROUNDED)


@pytest.mark.parametrize(("family", "power"), INFLATION)
def test_inflation_factors_are_those_of_jennison_and_turnbull(family: str, power: float) -> None:
    for n_looks, printed in INFLATION[family, power].items():
        for level, factor in zip(LEVELS, printed):
            found = group_sequential(equal_looks(n_looks), alpha=level, sides=2, power=power, efficacy=family)
            assert found.inflation_factor == pytest.approx(factor, abs=ROUNDED)


@pytest.mark.parametrize(("sides", "alpha"), [(1, 0.025), (2, 0.05)])
@pytest.mark.parametrize("family", LAN_DEMETS)
def test_spending_bounds_are_those_printed(family: str, sides: int, alpha: float) -> None:
    for printed in LAN_DEMETS[family]:
        found = group_sequential(equal_looks(len(printed)), alpha=alpha, sides=sides, efficacy=family)
        assert found.efficacy_z == pytest.approx(printed, abs=ROUNDED)
