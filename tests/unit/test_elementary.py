"""Elementary functions against fifty-digit arithmetic, and the same bits wherever they are evaluated."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numba import njit
from scipy.special import ndtri

from trialsim.draws import unit
from trialsim.elementary import CENTRAL, natural_exp, natural_log, power, standard_normal
from trialsim.population.endpoints.continuous import fill_values

_GENERATOR = np.random.default_rng(7)
_POSITIVE = np.concatenate(
    [
        np.exp(_GENERATOR.uniform(-700, 700, 3000)),
        _GENERATOR.uniform(0, 1, 3000),
        1 + np.array([-1e-8, -(2.0**-53), 2.0**-52, 1e-8, 1e-3, -1e-3]),
        [
            2.0**-54,
            2.0**-53,
            0.5,
            np.sqrt(0.5),
            np.nextafter(np.sqrt(0.5), 0),
            np.sqrt(2),
            2.0,
            1.0,
            2.2250738585072014e-308,
        ],
    ]
)
_EXPONENTS = np.concatenate(
    [_GENERATOR.uniform(-700, 700, 3000), _GENERATOR.uniform(-3, 3, 3000), [0.0, 1.0, -700, 700]]
)
_UNITS = np.concatenate(
    [
        _GENERATOR.uniform(0, 1, 4000),
        2.0 ** _GENERATOR.uniform(-54, -1, 2000),
        1 - 2.0 ** _GENERATOR.uniform(-50, -1, 500),
    ]
)


def ulps(found: float, exact: Decimal) -> float:
    """Return how many units in the last place a double is from the exact value."""
    unit = Decimal(float(np.spacing(abs(float(exact))))) if exact else Decimal(2) ** -1074
    return float(abs(Decimal(float(found)) - exact) / unit)


@njit
def log_loop(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = natural_log(x[i])


@njit
def exp_loop(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = natural_exp(x[i])


@njit
def power_loop(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = power(x[i], 1.7)


@njit
def normal_loop(x, out):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        out[i] = standard_normal(x[i])


@njit
def log_one(x):  # type: ignore[no-untyped-def]
    return natural_log(x)


@njit
def exp_one(x):  # type: ignore[no-untyped-def]
    return natural_exp(x)


@njit
def power_one(x):  # type: ignore[no-untyped-def]
    return power(x, 1.7)


def test_the_logarithm_is_within_one_unit_in_the_last_place() -> None:
    with localcontext() as context:
        context.prec = 50
        worst = max(ulps(natural_log(x), Decimal(float(x)).ln()) for x in _POSITIVE)
    assert worst <= 1.0
    assert natural_log(1.0) == 0.0


def test_the_exponential_is_within_about_one_unit_in_the_last_place() -> None:
    with localcontext() as context:
        context.prec = 50
        worst = max(ulps(natural_exp(x), Decimal(float(x)).exp()) for x in _EXPONENTS)
    assert worst <= 1.05
    assert natural_exp(0.0) == 1.0


def test_the_exponential_is_cut_beyond_700() -> None:
    assert natural_exp(1e9) == natural_exp(700.0) == natural_exp(np.inf)
    assert natural_exp(-1e9) == natural_exp(-700.0) == natural_exp(-np.inf)
    assert 0.0 < natural_exp(-1e9) < 1e-300


def test_powers_are_those_of_numpy() -> None:
    generator = np.random.default_rng(7)
    x = np.exp(generator.uniform(-20, 20, 2000))
    for exponent in (0.3, 1.0, 1.7, 4.0):
        found = np.array([power(a, exponent) for a in x])
        # The error of the logarithm is multiplied by the exponent's product with it: 80 * 2**-53 at most here.
        np.testing.assert_allclose(found, np.power(x, exponent), rtol=1e-13)


def test_the_normal_quantile_is_that_of_scipy() -> None:
    found = np.array([standard_normal(u) for u in _UNITS])
    np.testing.assert_allclose(found, ndtri(_UNITS), rtol=2e-15, atol=2e-16)


def test_the_normal_quantile_is_odd_and_increasing() -> None:
    u = np.sort(_UNITS)
    z = np.array([standard_normal(x) for x in u])
    assert (np.diff(z) >= 0).all()
    dyadic = np.arange(1, 512) / 1024
    assert all(standard_normal(x) == -standard_normal(1 - x) for x in dyadic)
    assert standard_normal(0.5) == 0.0


@pytest.mark.parametrize(
    ("one", "loop", "values"),
    [
        (log_one, log_loop, _POSITIVE),
        (exp_one, exp_loop, _EXPONENTS),
        (power_one, power_loop, _POSITIVE[:3000]),
        (standard_normal, normal_loop, _UNITS),
    ],
    ids=["log", "exp", "power", "normal"],
)
def test_a_loop_and_a_single_call_give_the_same_bits(
    one: Callable[[float], float], loop: Callable[[np.ndarray, np.ndarray], None], values: np.ndarray
) -> None:
    out = np.empty_like(values)
    loop(values, out)
    single = np.array([one(float(x)) for x in values])
    assert (out.view(np.int64) == single.view(np.int64)).all()


def test_values_of_words_are_those_of_their_uniforms_one_by_one() -> None:
    """Also where the tails of the normal quantile begin, at the first and last words, and in the deepest tails."""
    steps = (np.arange(-400, 400) * 512).astype(np.uint64)
    edges = [np.uint64(round(edge * 2.0**64)) + steps for edge in (0.075, 0.925)]
    ends = np.concatenate([np.arange(4), np.arange(40) * 4096, 1 << np.arange(13, 63)]).astype(np.uint64)
    some = np.random.default_rng(5).integers(0, 2**64, 5000, dtype=np.uint64)
    words = np.concatenate([*edges, ends, ~ends, some])
    for near in edges:
        central = [abs(unit(word) - 0.5) <= CENTRAL for word in near]
        assert 300 < sum(central) < 500  # both branches are tried
    expected, n = np.linspace(-3.0, 3.0, len(words)), len(words)
    found = np.empty(n)
    fill_values(words, expected, 1.7, 0, n, np.empty(n + 1, dtype=np.int64), np.empty((2, n)), found)
    wanted = [m + 1.7 * standard_normal(unit(word)) for m, word in zip(expected, words, strict=True)]
    assert found.tolist() == wanted
