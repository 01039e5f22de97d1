"""Special functions against mpmath, over the whole range of their arguments."""

from __future__ import annotations

import math

import numpy as np
import pytest

import frazil as fz

mp = pytest.importorskip("mpmath").mp

RNG = np.random.default_rng(0)
LINE = np.concatenate([RNG.uniform(-25, 25, 12), [-8.0, -1.0, -1e-6, 1e-6, 0.3, 0.7, 7.99, 8.01]])
AHEAD = np.concatenate([RNG.uniform(0.05, 30, 12), [1e-6, 1.99, 2.01, 7.99, 8.01, 300.0]])
GAMMA = np.concatenate([AHEAD, RNG.uniform(-15, -0.1, 6), 1 + np.array([1e-9, -1e-6, 1e-3]), 2 + np.array([1e-9, -1e-6]), [1e10]])
UNIT = np.concatenate([RNG.uniform(-0.99, 0.99, 12), [1e-9, -0.75, 0.76, 1 - 1e-4, 1 - 1e-6, -1 + 1e-7]])
CHANCE = np.concatenate([RNG.uniform(0.01, 0.99, 12), [1e-30, 1e-8, 1e-3, 0.12, 0.13, 0.9999]])


def _normal(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _quantile(p):
    return mp.findroot(lambda x: mp.log(_normal(x)) - mp.log(p), fz.special.ndtri(fz.tensor(float(p), dtype=fz.float64)).item())


#: Name -> truth, points, budget in ulp, and what errors are measured against: the value, or (beside zeros) at least 1.
CASES = {
    "gammaln": (lambda x: mp.log(abs(mp.gamma(x))), GAMMA, 6, 1),
    "digamma": (mp.digamma, GAMMA, 8, 1),
    "erfinv": (mp.erfinv, UNIT, 4, 0),
    "ndtri": (_quantile, CHANCE, 6, 0),
    "erfcx": (lambda x: mp.exp(x * x) * mp.erfc(x), np.maximum(LINE, -9), 6, 0),
    "ndtr": (_normal, np.maximum(LINE, -12), 6, 0),
    "log_ndtr": (lambda x: mp.log1p(-_normal(-x)) if x > 0 else mp.log(_normal(x)), np.minimum(LINE, 12), 12, 0),
    "i0": (lambda x: mp.besseli(0, x), LINE, 12, 0),
    "i1": (lambda x: mp.besseli(1, x), LINE, 12, 0),
    "i0e": (lambda x: mp.besseli(0, x) * mp.exp(-abs(x)), LINE, 8, 0),
    "i1e": (lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), LINE, 10, 0),
    "bessel_j0": (lambda x: mp.besselj(0, x), LINE, 8, 1),
    "bessel_j1": (lambda x: mp.besselj(1, x), LINE, 8, 1),
    "bessel_y0": (lambda x: mp.bessely(0, x), AHEAD, 8, 1),
    "bessel_y1": (lambda x: mp.bessely(1, x), AHEAD, 8, 1),
    "modified_bessel_k0": (lambda x: mp.besselk(0, x), np.minimum(AHEAD, 40), 30, 0),
    "modified_bessel_k1": (lambda x: mp.besselk(1, x), np.minimum(AHEAD, 40), 30, 0),
    "scaled_modified_bessel_k0": (lambda x: mp.exp(x) * mp.besselk(0, x), AHEAD, 30, 0),
    "scaled_modified_bessel_k1": (lambda x: mp.exp(x) * mp.besselk(1, x), AHEAD, 30, 0),
    "spherical_bessel_j0": (mp.sinc, LINE, 6, 1),
    "airy_ai": (mp.airyai, np.minimum(LINE, 9), 60, 1),
    "trigamma": (lambda x: mp.psi(1, x), GAMMA, 20, 0),
    "tetragamma": (lambda x: mp.psi(3, x), GAMMA[:-1], 20, 0),
}
POLYGAMMA = {"trigamma": 1, "tetragamma": 3}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_errors_stay_within_some_ulp(name, dtype):
    truth, points, budget, least = CASES[name]
    x = np.unique(points.astype(dtype))
    if name in ("erfinv", "ndtri"):
        x = x[np.abs(x) < 1]
    given = fz.from_numpy(x)
    found = fz.polygamma(POLYGAMMA[name], given) if name in POLYGAMMA else getattr(fz.special, name)(given)
    info = np.finfo(dtype)
    with mp.workdps(30):
        for point, value in zip(x.tolist(), found.tolist(), strict=True):
            exact = mp.re(truth(mp.mpf(point)))
            assert abs(exact) <= float(info.max)
            error = abs(value - exact) / (max(abs(exact), least, float(info.tiny)) * float(info.eps))
            assert error <= budget, f"{name}({point!r}) is {value!r}, not {mp.nstr(exact, 17)}: {float(error):.1f} ulp"


def _shares(a, x):
    """Both functions, by the series of the lower one."""
    a, x = mp.mpf(a), mp.mpf(x)
    term = total = mp.mpf(1)
    n = 0
    while term > total * mp.eps:
        n += 1
        term *= x / (a + n)
        total += term
    lower = total * mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1))
    return lower, 1 - lower


def test_incomplete_gamma_functions():
    orders = [1e-3, 0.2, 1.0, 2.5, 9.0, 40.0, 99.0, 101.0, 1e3]
    with mp.workdps(330):
        for a in orders:
            for share in (0.01, 0.3, 0.9, 1.0, 1.05, 1.6, 5.0):
                x = a * share
                pair = [fz.tensor(v, dtype=fz.float64) for v in (a, x)]
                found = [fz.special.gammainc(*pair).item(), fz.special.gammaincc(*pair).item()]
                exact = _shares(a, x)
                for value, true in zip(found, exact, strict=True):
                    assert abs(value - true) <= 2e-12 * abs(true) + 1e-280, f"a={a} x={x}: {value} for {mp.nstr(true, 17)}"
    edges = fz.igamma(fz.tensor([0.0, 0.0, 1.0, math.inf, 1.0, -1.0]), fz.tensor([0.0, 1.0, 0.0, 1.0, math.inf, 1.0]))
    np.testing.assert_array_equal(edges.numpy(), np.array([math.nan, 1, 0, 0, 1, math.nan], np.float32))
    x = fz.tensor([0.5, 3.0], dtype=fz.float64, requires_grad=True)
    assert fz.autograd.gradcheck(lambda x: fz.igamma(fz.tensor([1.5, 2.0], dtype=fz.float64), x), x)


def test_zeta_of_negative_points_and_poles():
    a, b = [2.0, 3.0, 3.0, 2.5, 2.0, 1.0, 0.5], [-1.5, -2.25, -4.0, -0.5, 3.5, 1.0, 1.0]
    found = fz.special.zeta(fz.tensor(a, dtype=fz.float64), fz.tensor(b, dtype=fz.float64)).tolist()
    direct = [
        sum((q + k) ** -s for k in range(20000)) + (20000 + q) ** (1 - s) / (s - 1) for s, q in zip(a[:2], b[:2], strict=True)
    ]
    assert np.allclose(found[:2], direct, 1e-8)
    assert found[2] == math.inf and math.isnan(found[3]) and found[5] == math.inf and math.isnan(found[6])
    assert math.isclose(found[4], float(mp.zeta(2, 3.5)), rel_tol=1e-14)


def test_orthogonal_polynomials_are_those_of_numpy():
    x = np.linspace(-1.5, 1.5, 7)
    given, degree = fz.from_numpy(x), fz.tensor([0, 1, 2, 3, 5, 8, -1])
    for name, basis in {
        "chebyshev_polynomial_t": np.polynomial.Chebyshev,
        "hermite_polynomial_h": np.polynomial.Hermite,
        "hermite_polynomial_he": np.polynomial.HermiteE,
        "laguerre_polynomial_l": np.polynomial.Laguerre,
        "legendre_polynomial_p": np.polynomial.Legendre,
    }.items():
        function = getattr(fz.special, name)
        for n in (0, 1, 4):
            np.testing.assert_allclose(function(given, n).numpy(), basis.basis(n)(x), 1e-12, 1e-12, err_msg=name)
        expected = [0.0 if n < 0 else basis.basis(n)(v) for v, n in zip(x, degree.tolist(), strict=True)]
        np.testing.assert_allclose(function(given, degree).numpy(), expected, 1e-12, 1e-12, err_msg=name)


def test_special_is_a_module_and_functions_are_methods():
    import frazil.special

    assert frazil.special is fz.special
    x = fz.tensor([0.5])
    assert x.lgamma() == fz.lgamma(x) == fz.special.gammaln(x) and x.clone().digamma_() == fz.special.psi(x)
    assert x.polygamma(1) == fz.polygamma(1, x) and x.mvlgamma(1) == x.lgamma() and x.clone().erfinv_() == fz.special.erfinv(x)
    assert fz.special.xlog1py(0, fz.tensor([-1.0])) == 0 and fz.special.entr(fz.tensor([-1.0])) == -math.inf
