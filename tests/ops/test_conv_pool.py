"""Convolution and pooling kernels of the NumPy backend: against their definition in float64, and against PyTorch."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.backends.numpy import bands, threads
from frazil.backends.numpy import conv as C
from frazil.backends.numpy import pool as P
from frazil.backends.numpy import winograd as W

RNG = np.random.default_rng(0)

VARIABLE = "OPENBLAS_THREAD_TIMEOUT"


def case(n: int, c: int, size: Any, f: int, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    label = f"{n}x{c}x{size}->{f} k{kernel} s{stride} p{padding} d{dilation} g{groups}".replace(" ", "")
    return pytest.param((n, c, size, f, kernel, stride, padding, dilation, groups), id=label)


#: Every branch of the kernels: tiles of whole images and of rows, pointwise, turned weights, depthwise, gaps, 1 to 3 dimensions.
CONVOLUTIONS = [
    case(2, 3, (7,), 4, (3,), (2,), (1,), (2,), 1),
    case(3, 2, (6, 5), 4, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    case(2, 4, (7, 8), 6, (3, 2), (2, 1), (1, 0), (1, 2), 2),
    case(2, 4, (6, 6), 4, (3, 3), (1, 1), (1, 1), (1, 1), 4),
    case(2, 4, (6, 6), 8, (3, 3), (2, 2), (1, 1), (1, 1), 4),
    case(2, 4, (5, 5), 3, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    case(1, 4, (5, 5), 3, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    case(2, 4, (5, 5), 3, (1, 1), (2, 2), (0, 0), (1, 1), 1),
    case(2, 2, (5, 5), 3, (1, 1), (1, 1), (1, 1), (1, 1), 1),
    case(2, 1, (6, 6), 8, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    case(2, 3, (4, 4), 2, (2, 2), (1, 1), (3, 3), (1, 1), 1),
    case(2, 11, (6, 6), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    case(2, 11, (4, 4), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    case(2, 2, (9, 9), 3, (2, 2), (4, 4), (0, 0), (1, 1), 1),
    case(2, 2, (3, 4, 5), 2, (2, 2, 3), (1, 2, 1), (0, 1, 1), (1, 1, 2), 1),
    case(2, 4, (6, 20), 4, (3, 5), (1, 1), (1, 2), (1, 1), 4),
    case(3, 2, (40,), 2, (7,), (2,), (3,), (2,), 2),
    case(2, 3, (3, 4, 9), 3, (2, 2, 5), (1, 2, 1), (0, 1, 2), (1, 1, 1), 3),
    case(0, 2, (4, 4), 3, (3, 3), (1, 1), (0, 0), (1, 1), 1),
]


def naive_conv(x: np.ndarray, w: np.ndarray, stride: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    """The definition, one output number at a time."""
    spatial = range(len(stride))
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = [(x.shape[2 + i] - dilation[i] * (w.shape[2 + i] - 1) - 1) // stride[i] + 1 for i in spatial]
    y = np.zeros((len(x), len(w), *out))
    for n, f, *o in np.ndindex(*y.shape):
        first = f // (len(w) // groups) * w.shape[1]
        for c, *k in np.ndindex(*w.shape[1:]):
            y[(n, f, *o)] += x[(n, first + c, *(o[i] * stride[i] + k[i] * dilation[i] for i in spatial))] * w[(f, c, *k)]
    return y


def tensors(parameters: Any, dtype: str) -> Any:
    n, c, size, f, kernel, stride, padding, dilation, groups = parameters
    x = RNG.standard_normal((n, c, *size)).astype(dtype)
    w = RNG.standard_normal((f, c // groups, *kernel)).astype(dtype)
    return x, w, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def tolerance(dtype: str) -> dict[str, float]:
    return {"rtol": 1e-5, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("parameters", CONVOLUTIONS)
def test_convolution_is_its_definition(parameters: Any, dtype: str) -> None:
    x, w, options = tensors(parameters, dtype)
    bias = RNG.standard_normal(len(w)).astype(dtype)
    expected = naive_conv(x.astype("float64"), w.astype("float64"), *options.values())
    for b in (None, bias):
        y = C.conv(x, w, b, **options)
        wanted = expected if b is None else expected + b.reshape(-1, *(1,) * (x.ndim - 2))
        assert y.dtype == dtype and y.flags.c_contiguous
        np.testing.assert_allclose(y, wanted, **tolerance(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("parameters", CONVOLUTIONS)
def test_gradients_are_the_adjoints_of_the_convolution(parameters: Any, dtype: str) -> None:
    """<g, conv(u, w)> = <conv_input_grad(g, w), u> for every unit vector u, and the same for the weights."""
    x, w, options = tensors(parameters, dtype)
    y = naive_conv(x.astype("float64"), w.astype("float64"), *options.values())
    g = RNG.standard_normal(y.shape).astype(dtype)
    dx = C.conv_input_grad(g, w, size=x.shape[2:], **options)
    dw = C.conv_weight_grad(g, x, kernel_size=w.shape[2:], **options)
    assert dx.shape == x.shape and dw.shape == w.shape and dx.dtype == dw.dtype == dtype
    g64 = g.astype("float64")
    for gradient, variable, of in (
        (dx, x, lambda u: naive_conv(u, w.astype("float64"), *options.values())),
        (dw, w, lambda u: naive_conv(x.astype("float64"), u, *options.values())),
    ):
        for i in RNG.permutation(variable.size)[:12]:
            unit = np.zeros(variable.size)
            unit[i] = 1.0
            np.testing.assert_allclose(
                gradient.reshape(-1)[i], (of(unit.reshape(variable.shape)) * g64).sum(), **tolerance(dtype)
            )


@pytest.mark.parametrize("parameters", CONVOLUTIONS)
def test_small_tiles_give_what_large_ones_give(parameters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, options = tensors(parameters, "float64")

    def results() -> list[np.ndarray]:
        y = C.conv(x, w, None, **options)
        dx = C.conv_input_grad(y, w, size=x.shape[2:], **options)
        return [y, dx, C.conv_weight_grad(y, x, kernel_size=w.shape[2:], **options)]

    whole = results()
    monkeypatch.setattr(C, "TILE_BYTES", 1)
    monkeypatch.setattr(C, "TILE_POSITIONS", 8)
    for a, b in zip(whole, results(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


#: (images, channels, size, filters, padding): whole tiles and parts of some, several images and runs of rows at a time.
FEWER_MULTIPLICATIONS = [
    (2, 5, (8, 8), 4, (1, 1)),
    (3, 4, (7, 10), 6, (0, 2)),
    (1, 3, (40, 36), 2, (2, 1)),
    (7, 2, (3, 5), 3, (1, 0)),
]


@pytest.mark.parametrize("form", W.FORMS, ids=lambda form: f"tiles of {form.m}")
@pytest.mark.parametrize("parameters", FEWER_MULTIPLICATIONS, ids=str)
@pytest.mark.parametrize("tiles", [1, 5, W.TILES])
def test_fewer_multiplications_give_the_same_convolution(
    form: W.Form, parameters: Any, tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, c, size, f, padding = parameters
    x, w, options = tensors((n, c, size, f, (3, 3), (1, 1), padding, (1, 1), 1), "float32")
    bias = RNG.standard_normal(f).astype("float32")
    exact = [a.astype("float64") for a in (x, w, bias)]
    expected = C.conv(*exact, **options)
    g = RNG.standard_normal(expected.shape).astype("float32")
    expected_dx = C.conv_input_grad(g.astype("float64"), exact[1], size=size, **options)
    expected_dw = C.conv_weight_grad(g.astype("float64"), exact[0], kernel_size=(3, 3), **options)
    monkeypatch.setattr(W, "TILES", tiles)
    monkeypatch.setattr(W, "form_for", lambda *shapes: form)
    found = (
        C.conv(x, w, bias, **options),
        C.conv_input_grad(g, w, size=size, **options),
        C.conv_weight_grad(g, x, kernel_size=(3, 3), **options),
    )
    for a, b in zip(found, (expected, expected_dx, expected_dw), strict=True):
        assert a.dtype == "float32" and a.shape == b.shape and a.flags.c_contiguous
        assert abs(a - b).max() < 3e-6 * abs(b).max()


def test_large_convolutions_are_done_with_fewer_multiplications_and_as_accurately() -> None:
    x, w, options = tensors((4, 64, (32, 32), 64, (3, 3), (1, 1), (1, 1), (1, 1), 1), "float32")
    assert W.form_for(x.shape, w.shape, (32, 32), x.dtype) is not None
    g = RNG.standard_normal(x.shape).astype("float32")
    x64, w64, g64 = (a.astype("float64") for a in (x, w, g))
    for a, b in (
        (C.conv(x, w, **options), C.conv(x64, w64, **options)),
        (C.conv_input_grad(g, w, size=(32, 32), **options), C.conv_input_grad(g64, w64, size=(32, 32), **options)),
        (C.conv_weight_grad(g, x, kernel_size=(3, 3), **options), C.conv_weight_grad(g64, x64, kernel_size=(3, 3), **options)),
    ):
        assert abs(a - b).max() < 5e-6 * abs(b).max()


def test_a_setting_has_convolutions_done_as_they_are_defined() -> None:
    """Of whole numbers they are exact then."""
    x, w = (fz.tensor(RNG.integers(-3, 4, shape).astype("float32")) for shape in ((4, 64, 32, 32), (64, 64, 3, 3)))
    with fz.config(numpy__winograd=False):
        exact = fz.nn.functional.conv2d(x, w, padding=1)
    assert (exact == fz.nn.functional.conv2d(x.double(), w.double(), padding=1)).all()
    assert (exact != fz.nn.functional.conv2d(x, w, padding=1)).any()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_stays_in_the_windows_that_see_it(special: float) -> None:
    x, w, options = tensors((4, 64, (32, 32), 64, (3, 3), (1, 1), (1, 1), (1, 1), 1), "float32")
    assert W.form_for(x.shape, w.shape, (32, 32), x.dtype) is not None
    x[1, 2, 3, 4] = special
    w[:, 2, 0, 0] = 0.25
    away = np.ones(x.shape, bool)
    away[1, :, 2:5, 3:6] = False
    with np.errstate(all="ignore"):
        y, dw = C.conv(x, w, **options), C.conv_weight_grad(x, x, kernel_size=(3, 3), **options)
        expected = C.conv(x.astype("float64"), w.astype("float64"), **options)
    assert np.isfinite(y[away]).all()
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isfinite(y[1, :, 4, 5]), np.isfinite(expected[1, :, 4, 5]))
    assert np.isfinite(special) or not np.isfinite(dw[2]).any()
    assert np.isfinite(np.delete(np.delete(dw, 2, 0), 2, 1)).all()


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_the_windows_that_see_it_where_bands_multiply(special: float) -> None:
    x, w, options = tensors((2, 2, (4, 20), 2, (3, 5), (1, 1), (1, 2), (1, 1), 2), "float32")
    assert bands.form_for(x.shape, w.shape, x.shape[2:], x.dtype, 2, (1, 1), (1, 2), (1, 1)) is not None
    x[1, 0, 2, 3] = special
    expected = naive_conv(x, w, *options.values())
    np.testing.assert_allclose(C.conv(x, w, None, **options), expected, rtol=1e-5, atol=1e-5)
    dw = C.conv_weight_grad(np.ones_like(x), x, kernel_size=(3, 5), **options)
    assert np.isfinite(dw[1]).all() and not np.isfinite(dw[0]).any()
    dx = C.conv_input_grad(x, w, size=(4, 20), **options)
    assert np.isfinite(dx[0]).all() and np.isfinite(dx[1, 1]).all() and not np.isfinite(dx[1, 0]).all()


# ------------------------------------------------------------------------------------------------------------------ pooling

#: (size, kernel, stride, padding, dilation, ceil_mode)
POOLS = [
    ((8, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((7, 5), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((7, 5), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((7, 6), (3, 2), (2, 1), (1, 1), (1, 1), False),
    ((7, 7), (3, 3), (1, 2), (1, 0), (2, 1), True),
    ((9, 9), (2, 2), (3, 4), (0, 0), (1, 1), False),
    ((5,), (3,), (3,), (1,), (1,), True),
    ((6,), (1,), (2,), (0,), (1,), False),
    ((4, 5, 3), (2, 2, 1), (2, 1, 2), (1, 0, 0), (1, 1, 1), True),
]


def naive_windows(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[Any, Any]:
    """Output size, and the input positions (inside and outside) of an output position along an axis."""
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        free = n + 2 * p - d * (k - 1) - 1
        o = -(-free // s) + 1 if ceil_mode else free // s + 1
        out.append(o - 1 if ceil_mode and (o - 1) * s >= n + p else o)

    def seen(axis: int, o: int) -> list[int]:
        return [o * stride[axis] - padding[axis] + k * dilation[axis] for k in range(kernel[axis])]

    return tuple(out), seen


def naive_max_pool(x: np.ndarray, *parameters: Any) -> tuple[np.ndarray, np.ndarray]:
    size = x.shape[2:]
    out, seen = naive_windows(size, *parameters)
    y, where = np.empty((*x.shape[:2], *out), x.dtype), np.empty((*x.shape[:2], *out), np.int64)
    for n, c, *o in np.ndindex(*y.shape):
        best, index = -np.inf, None
        for position in itertools.product(*(seen(i, o[i]) for i in range(len(size)))):
            if all(0 <= p < m for p, m in zip(position, size, strict=True)):
                value = x[(n, c, *position)]
                if index is None or value > best or np.isnan(value):
                    best, index = value, int(np.ravel_multi_index(position, size))
        y[(n, c, *o)], where[(n, c, *o)] = best, index
    return y, where


def naive_avg_pool(x: np.ndarray, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, include: bool) -> np.ndarray:
    size = x.shape[2:]
    out, seen = naive_windows(size, kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    y = np.empty((*x.shape[:2], *out))
    for n, c, *o in np.ndindex(*y.shape):
        total, count = 0.0, 0
        for position in itertools.product(*(seen(i, o[i]) for i in range(len(size)))):
            inside = all(0 <= p < m for p, m in zip(position, size, strict=True))
            total += float(x[(n, c, *position)]) if inside else 0.0
            in_padding = all(-q <= p < m + q for p, m, q in zip(position, size, padding, strict=True))
            count += inside or (include and in_padding)
        y[(n, c, *o)] = total / count
    return y


def pool_inputs(size: Any) -> dict[str, np.ndarray]:
    plain = RNG.standard_normal((2, 3, *size))
    special = RNG.choice([1.0, 2.0, np.nan, np.inf, -np.inf], (2, 3, *size), p=[0.4, 0.3, 0.1, 0.1, 0.1])
    return {"plain": plain, "ties": np.floor(plain), "special": special, "lowest": np.full((1, 1, *size), -np.inf)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("parameters", POOLS, ids=str)
def test_max_pooling_is_its_definition(parameters: Any, dtype: str) -> None:
    size, *rest = parameters
    options = dict(zip(("kernel_size", "stride", "padding", "dilation", "ceil_mode"), rest, strict=True))
    for kind, x in pool_inputs(size).items():
        x = x.astype(dtype)
        expected, where = naive_max_pool(x, *rest)
        y = P.max_pool(x, **options)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, expected, err_msg=kind)
        np.testing.assert_array_equal(P.max_pool_indices(x, **options), where, err_msg=kind)
        g = RNG.standard_normal(y.shape).astype(dtype)
        g.reshape(-1)[:2] = np.inf, -0.0
        dx = np.zeros((*x.shape[:2], x[0, 0].size), dtype)
        for n, c, *o in np.ndindex(*y.shape):
            dx[n, c, where[(n, c, *o)]] += g[(n, c, *o)]
        given = P.max_pool_grad(g, x, y, **options)
        assert given.dtype == dtype
        np.testing.assert_allclose(given, dx.reshape(x.shape), rtol=1e-6, atol=1e-6, err_msg=kind)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("parameters", [p for p in POOLS if set(p[4]) == {1}], ids=str)
def test_average_pooling_is_its_definition(parameters: Any, include: bool, dtype: str) -> None:
    size, kernel, stride, padding, _, ceil_mode = parameters
    options = {
        "kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": ceil_mode, "count_include_pad": include
    }  # fmt: skip
    x = RNG.standard_normal((2, 3, *size)).astype(dtype)
    y = P.avg_pool(x, **options)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, naive_avg_pool(x, kernel, stride, padding, ceil_mode, include), **tolerance(dtype))
    g = RNG.standard_normal(y.shape).astype(dtype)
    dx = P.avg_pool_grad(g, size=size, **options)
    assert dx.shape == x.shape and dx.dtype == dtype
    for i in RNG.permutation(x.size)[:12]:
        unit = np.zeros(x.size)
        unit[i] = 1.0
        of = naive_avg_pool(unit.reshape(x.shape), kernel, stride, padding, ceil_mode, include)
        np.testing.assert_allclose(dx.reshape(-1)[i], (of * g).sum(), **tolerance(dtype))


def test_empty_batches_pool_to_empty_batches() -> None:
    options: dict[str, Any] = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    for shape, out in (((0, 3, 4, 4), (0, 3, 2, 2)), ((2, 0, 4, 4), (2, 0, 2, 2))):
        x = np.empty(shape, np.float32)
        y = P.max_pool(x, dilation=(1, 1), **options)
        assert y.shape == out and P.max_pool_indices(x, dilation=(1, 1), **options).shape == out
        assert P.max_pool_grad(y, x, y, dilation=(1, 1), **options).shape == shape
        overlapping = options | {"kernel_size": (3, 3), "dilation": (1, 1), "padding": (1, 1)}
        assert P.max_pool_grad(y, x, y, **overlapping).shape == shape
        assert P.avg_pool(x, count_include_pad=True, **options).shape == out
        assert P.avg_pool_grad(y, size=(4, 4), count_include_pad=True, **options).shape == shape


# --------------------------------------------------------------------------------------------------- what all kernels promise


def every_kernel(x: np.ndarray, w: np.ndarray) -> dict[str, Any]:
    """Name -> call of every kernel on inputs of one convolution with padding 1 and of a 2 x 2 pooling."""
    options: dict[str, Any] = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    pool: dict[str, Any] = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    y = np.ascontiguousarray(C.conv(x, w, None, **options))
    m = P.max_pool(x, dilation=(1, 1), **pool)
    overlapping = pool | {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1)}
    return {
        "conv": lambda: C.conv(x, w, None, **options),
        "conv_input_grad": lambda: C.conv_input_grad(y, w, size=x.shape[2:], **options),
        "conv_weight_grad": lambda: C.conv_weight_grad(y, x, kernel_size=w.shape[2:], **options),
        "pointwise": lambda: C.conv(x, w[:, :, :1, :1], None, **{**options, "padding": (0, 0)}),
        "max_pool": lambda: P.max_pool(x, dilation=(1, 1), **pool),
        "max_pool_indices": lambda: P.max_pool_indices(x, dilation=(1, 1), **pool),
        "max_pool_grad": lambda: P.max_pool_grad(m, x, m, dilation=(1, 1), **pool),
        "avg_pool": lambda: P.avg_pool(x, count_include_pad=True, **pool),
        "avg_pool_grad": lambda: P.avg_pool_grad(m, size=x.shape[2:], count_include_pad=True, **pool),
        "overlapping max_pool_grad": lambda: P.max_pool_grad(x, x, x, dilation=(1, 1), **overlapping),
        "trivial max_pool": lambda: P.max_pool(x, dilation=(1, 1), **{**pool, "kernel_size": (1, 1), "stride": (1, 1)}),
    }


NAMES = list(every_kernel(np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 3, 3))))


@pytest.mark.parametrize("name", NAMES)
def test_a_result_is_nobody_elses_memory(name: str) -> None:
    """Neither the inputs' nor scratch, which the next call overwrites; and inputs are left as they were."""
    x, w = RNG.standard_normal((3, 2, 6, 8)), RNG.standard_normal((4, 2, 3, 3))
    before = x.copy(), w.copy()
    first = every_kernel(x, w)[name]()
    kept = first.copy()
    assert not np.shares_memory(first, x) and not np.shares_memory(first, w)
    for call in every_kernel(RNG.standard_normal(x.shape), RNG.standard_normal(w.shape)).values():
        call()
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])
    assert first.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_of_inputs_does_not_matter(name: str) -> None:
    x, w = RNG.standard_normal((3, 2, 6, 8)), RNG.standard_normal((4, 2, 3, 3))
    strided = np.ascontiguousarray(x.transpose(3, 0, 2, 1)).transpose(1, 3, 2, 0)
    turned = np.ascontiguousarray(w[::-1, :, ::-1])[::-1, :, ::-1]
    np.testing.assert_allclose(every_kernel(strided, turned)[name](), every_kernel(x, w)[name](), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_work_split_over_threads_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = RNG.standard_normal((16, 8, 32, 32)), RNG.standard_normal((8, 8, 3, 3))
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: 1)
    alone = every_kernel(x, w)[name]()
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: 3)
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda count: None)
    np.testing.assert_allclose(every_kernel(x, w)[name](), alone, rtol=1e-10, atol=1e-10)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    """Before any window can leave its array."""
    x, w, g = np.zeros((2, 3, 5, 5)), np.zeros((4, 3, 3, 3)), np.zeros((2, 4, 3, 3))
    options: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    pool: dict[str, Any] = {"kernel_size": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    refused = [
        lambda: C.conv(x, w[:, :2], **options),
        lambda: C.conv(x, w, np.zeros(5), **options),
        lambda: C.conv(x, w, **{**options, "groups": 2}),
        lambda: C.conv(x, np.zeros((4, 3, 6, 3)), **options),
        lambda: C.conv(x.astype(int), w.astype(int), **options),
        lambda: C.conv_input_grad(g, w, size=(4, 5), **options),
        lambda: C.conv_input_grad(g[:, :3], w, size=(5, 5), **options),
        lambda: C.conv_weight_grad(g, x, kernel_size=(4, 3), **options),
        lambda: C.conv_weight_grad(g[:1], x, kernel_size=(3, 3), **options),
        lambda: C.conv_weight_grad(g[:, :3], x, kernel_size=(3, 3), **{**options, "groups": 3, "stride": (2, 2)}),
        lambda: P.max_pool(x, dilation=(1, 1), **{**pool, "kernel_size": (6, 6)}),
        lambda: P.max_pool_grad(g, x, g, dilation=(1, 1), **pool),
        lambda: P.avg_pool_grad(g, size=(5, 5), count_include_pad=True, **pool),
        lambda: P.max_pool(x.astype(int), dilation=(1, 1), **pool),
    ]
    for call in refused:
        with pytest.raises((ValueError, TypeError)):
            call()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((64, 784), "float32"), ((64, 784), "float64"), ((512, 64), "float32"), ((64, 784), "float16")]
)
def test_only_long_rows_of_one_dtype_go_without_the_buffer(shape, dtype):
    before = np.getbufsize()
    with threads.unbuffered(np.zeros(shape, dtype), shape[1]):
        assert (np.getbufsize() == 16) == (shape[1] == 784 and dtype != "float16")
    assert np.getbufsize() == before


def test_what_goes_without_the_buffer_computes_the_same_and_leaves_it_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def results():
        rows, planes = (
            fz.randn(64, 784, generator=fz.Generator().manual_seed(0)),
            fz.randn(8, 6, 28, 28, generator=fz.Generator().manual_seed(1)),
        )
        w, b = fz.linspace(1, 2, 784), fz.linspace(-1, 1, 784)
        with np.errstate():
            np.setbufsize(4096)
            found = [
                fz.nn.functional.layer_norm(rows, (784,), w, b),
                fz.nn.functional.batch_norm(planes, None, None, w[:6], b[:6], True),
                fz.nn.functional.group_norm(planes, 2, w[:6], b[:6]),
            ]
            assert np.getbufsize() == 4096
        return found

    unbuffered = results()
    monkeypatch.setattr(threads, "LONG_ROW", math.inf)
    for found, expected in zip(unbuffered, results(), strict=True):
        assert fz.equal(found, expected)


# -------------------------------------------------------------------------------------------------------------------- threads


def test_split_covers_the_range_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: 4)
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda count: None)
    for count in (0, 1, 3, 4, 11):
        ranges = threads.split(lambda start, stop: list(range(start, stop)), count, nbytes=1 << 30)
        assert list(itertools.chain(*ranges)) == list(range(count))
    assert len(threads.split(lambda start, stop: None, 100, nbytes=threads.LONG - 1)) == 4
    assert len(threads.split(lambda start, stop: None, 100, nbytes=threads.LONG)) == 4 * threads.PIECES


def test_split_raises_what_a_thread_raised_and_gives_blas_back(monkeypatch: pytest.MonkeyPatch) -> None:
    count = [2]
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: count[0])
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda n: count.__setitem__(0, n))

    def work(start: int, stop: int) -> None:
        assert count == [1]
        if start:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.split(work, 2, nbytes=1 << 30)
    assert count == [2]


def test_a_program_that_holds_blas_still_splits_but_no_split_within_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    count = [3]
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: count[0])
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda n: count.__setitem__(0, n))

    def inner(start: int, stop: int) -> list[int]:
        return threads.split(lambda a, b: b - a, stop - start, nbytes=1 << 30)

    with threads.one_blas_thread:
        assert count == [1]
        assert threads.split(inner, 3 * threads.PIECES, nbytes=1 << 30) == [[1]] * 3 * threads.PIECES
        assert count == [1]
    assert count == [3]


AFTER_A_PRODUCT = """
import time
import numpy as np
from frazil.backends.numpy import threads
from frazil.backends.numpy import winograd as W

threads.split(lambda start, stop: None, 2, nbytes=1 << 30)
a = np.ones((400, 400), np.float32)
a @ a
began = time.process_time()
time.sleep(0.1)
print(time.process_time() - began)
"""


def test_threads_of_blas_sleep_once_ours_have_begun() -> None:
    """They would wait awake for the next product, and keep a core from whoever works there."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith(("_NUM_THREADS", "_THREAD_TIMEOUT"))}
    told = subprocess.run([sys.executable, "-c", AFTER_A_PRODUCT], capture_output=True, text=True, check=True, env=environment)
    assert float(told.stdout) < 0.02


@pytest.mark.parametrize("said", [True, False])
def test_how_long_threads_of_blas_stay_awake_is_left_to_the_user(said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def sleep_soon(others: int) -> None:
        monkeypatch.setattr(threads.one_blas_thread, "_restart", [lambda: seen.append(os.environ.get(VARIABLE))] * 3)
        monkeypatch.setattr(threading, "active_count", lambda: 1 + others)
        threads.one_blas_thread.sleep_soon()
        threads.one_blas_thread.sleep_soon()  # once is enough

    monkeypatch.delenv(VARIABLE, raising=False)
    if said:
        monkeypatch.setenv(VARIABLE, "20")
    sleep_soon(1)  # another thread, which may be in a product
    assert not seen
    sleep_soon(0)
    assert seen == ([] if said or os.name != "posix" else [str(threads.AWAKE)] * 3)
    assert os.environ.get(VARIABLE) == ("20" if said else None)


def test_a_thread_that_is_held_up_leaves_the_rest_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: 2)
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda n: None)
    others_are_done = threading.Event()
    done: list[int] = []
    pieces = 2 * threads.PIECES

    def work(start: int, stop: int) -> None:
        if start == 0:
            assert others_are_done.wait(30)
        done.append(start)
        if len(done) == pieces - 1:
            others_are_done.set()

    threads.split(work, pieces, nbytes=1 << 30)
    assert sorted(done) == list(range(pieces))
    assert done[-1] == 0


def test_threads_see_the_callers_errstate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads.one_blas_thread, "_get", lambda: 2)
    monkeypatch.setattr(threads.one_blas_thread, "_set", lambda n: None)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        threads.split(lambda start, stop: np.ones(3) / np.zeros(3), 2, nbytes=1 << 30)


def test_many_callers_at_once_get_their_own_results() -> None:
    x, w = RNG.standard_normal((6, 16, 24, 24)), RNG.standard_normal((16, 16, 3, 3))
    alone = {name: call() for name, call in every_kernel(x, w).items()}
    wrong: list[str] = []

    def caller() -> None:
        calls = every_kernel(x, w)
        for _ in range(4):
            for name, call in calls.items():
                if not np.allclose(call(), alone[name], rtol=1e-10, atol=1e-10):
                    wrong.append(name)

    callers = [threading.Thread(target=caller) for _ in range(4)]
    before = threads.one_blas_thread.free()
    for t in callers:
        t.start()
    for t in callers:
        t.join()
    assert not wrong
    assert threads.one_blas_thread.free() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_a_forked_child_can_still_convolve() -> None:
    x, w = np.ones((8, 16, 32, 32), np.float32), np.ones((16, 16, 3, 3), np.float32)
    call = every_kernel(x, w)["conv"]
    expected = call()  # starts the threads that the child will not have
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(call(), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --------------------------------------------------------------------------------------------------------------------- PyTorch


@pytest.mark.parity
@pytest.mark.parametrize("parameters", CONVOLUTIONS)
def test_convolutions_agree_with_pytorch(parameters: Any) -> None:
    import torch

    size, kernel = parameters[2], parameters[4]
    x, w, options = tensors(parameters, "float64")
    tx, tw = (torch.tensor(a, requires_grad=True) for a in (x, w))
    name = f"conv{len(size)}d"
    ty = getattr(torch.nn.functional, name)(tx, tw, None, *options.values())
    g = RNG.standard_normal(ty.shape)
    dx, dw = torch.autograd.grad(ty, (tx, tw), torch.tensor(g))
    for given, expected in (
        (C.conv(x, w, None, **options), ty.detach()),
        (C.conv_input_grad(g, w, size=size, **options), dx),
        (C.conv_weight_grad(g, x, kernel_size=kernel, **options), dw),
    ):
        np.testing.assert_allclose(given, expected.numpy(), rtol=1e-11, atol=1e-11)


@pytest.mark.parity
@pytest.mark.parametrize("parameters", POOLS, ids=str)
def test_pooling_agrees_with_pytorch(parameters: Any) -> None:
    import torch

    size, kernel, stride, padding, dilation, ceil_mode = parameters
    options = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    functional = torch.nn.functional
    for kind, x in pool_inputs(size).items():
        tx = torch.tensor(x, requires_grad=True)
        ty, where = getattr(functional, f"max_pool{len(size)}d")(tx, **options, return_indices=True)
        np.testing.assert_array_equal(P.max_pool(x, **options), ty.detach().numpy(), err_msg=kind)
        np.testing.assert_array_equal(P.max_pool_indices(x, **options), where.numpy(), err_msg=kind)
        g = RNG.standard_normal(ty.shape)
        (dx,) = torch.autograd.grad(ty, tx, torch.tensor(g))
        np.testing.assert_allclose(P.max_pool_grad(g, x, ty.detach().numpy(), **options), dx.numpy(), rtol=1e-12, atol=1e-12)
        if set(dilation) == {1} and kind == "plain":
            for include in (True, False):
                ty = getattr(functional, f"avg_pool{len(size)}d")(tx, kernel, stride, padding, ceil_mode, include)
                (dx,) = torch.autograd.grad(ty, tx, torch.tensor(g))
                rest = {"ceil_mode": ceil_mode, "count_include_pad": include}
                y = P.avg_pool(x, kernel_size=kernel, stride=stride, padding=padding, **rest)
                np.testing.assert_allclose(y, ty.detach().numpy(), rtol=1e-12, atol=1e-12)
                given = P.avg_pool_grad(g, size=size, kernel_size=kernel, stride=stride, padding=padding, **rest)
                np.testing.assert_allclose(given, dx.numpy(), rtol=1e-12, atol=1e-12)
