"""The kernels of the CuPy backend over NumPy's arrays, with CUDA texts that run on the CPU: the conformance kit without a GPU."""

from __future__ import annotations

import numpy as np
import pytest

import frazil as fz
from frazil.testing import conformance

from ..opencl.test_bfloat16 import trained
from .emulated import register

pytestmark = [pytest.mark.usefixtures("with_compiler")]

register()


@pytest.mark.slow
def test_a_first_look_at_everything():
    """One check of every op; `pytest -m emulated` asks all of them, which takes minutes."""
    only = ["lifecycle/*", "primitives/*-0-float32", "ops/*-0-float32", "gradients/*-0-*", "training/*"]
    report = conformance.run("cupy_emulated", only=only, strict=True)
    assert report.coverage.via_cpu == ()
    assert report.ok, "\n\n".join(map(str, report.failures))


def on_device(*shape: int, seed: int = 0) -> tuple[np.ndarray, fz.Tensor]:
    a = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return a, fz.tensor(a, device="cuda_emulated")


def test_an_index_out_of_range_is_an_error_when_a_value_is_asked_for():
    _, x = on_device(4, 3)
    y = x[fz.tensor([0, 7], device="cuda_emulated")]
    with pytest.raises(IndexError, match=r"an index is out of range for a dimension of size 4 \(found 7\)"):
        y.cpu()
    np.testing.assert_array_equal(x.cpu().numpy(), x.cpu().numpy())  # said once


def test_a_long_reduction_of_few_rows_goes_in_parts():
    a, x = on_device(3, 70_000)
    np.testing.assert_allclose(x.sum(1).cpu().numpy(), a.astype(np.float64).sum(1), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(x.amax().cpu().numpy(), a.max())
    np.testing.assert_allclose(x.t().mean(0).cpu().numpy(), a.astype(np.float64).mean(1), atol=1e-5)


def test_a_write_from_memory_that_it_changes_reads_first():
    a, x = on_device(100)
    x[1:].add_(x[:-1])
    a[1:] = a[1:] + a[:-1]
    np.testing.assert_array_equal(x.cpu().numpy(), a)


def test_more_elements_than_a_kernel_counts_are_taken_in_parts(monkeypatch):
    from frazil.backends.render.kernels import elementwise

    monkeypatch.setattr(elementwise, "MOST", 1000)
    (a, x), (b, y) = on_device(7, 300), on_device(300, seed=1)
    np.testing.assert_array_equal((x + y).cpu().numpy(), a + b)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("accumulate", [False, True])
def test_many_indices_are_written_by_a_thread_each(dtype, accumulate):
    """The last of several values for a place stays; sums are of all of them."""
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(-7, 7, (2, 40, 10))
    x, values = (rng.integers(0, 3, shape).astype(dtype) for shape in ((7, 5, 7), (40, 10, 1)))
    kernels = register().kernels()
    found = kernels["index_put_values"](x, values, rows, None, columns, accumulate=accumulate)
    expected = x.copy()
    if accumulate:
        np.add.at(expected, (rows, slice(None), columns), values)
    else:
        for i in np.ndindex(rows.shape):
            expected[rows[i], :, columns[i]] = values[i]
    np.testing.assert_array_equal(found, expected)
    index, source = rng.integers(0, 4, (500, 3)), rng.integers(0, 3, (500, 3)).astype(dtype)
    along = kernels["scatter_add_values" if accumulate else "scatter_values"](x[:, :3, 0].copy(), index, source, dim=0)
    expected = x[:, :3, 0].copy()
    if accumulate:
        np.add.at(expected, (index, np.arange(3)), source)
    else:
        for i in np.ndindex(index.shape):
            expected[index[i], i[1]] = source[i]
    np.testing.assert_array_equal(along, expected)


def test_one_of_many_indices_out_of_range_is_found():
    x, index = np.zeros((5, 2), np.float32), np.zeros((400, 2), np.int64)
    index[300, 1] = 9
    register().kernels()["scatter_add_values"](x, index, np.ones((400, 2), np.float32), dim=0)
    with pytest.raises(IndexError, match=r"of size 5 \(found 9\)"):
        register().synchronize()


@pytest.mark.parametrize("images_at_once", [1, 3, 100])
def test_convolutions_take_images_in_parts(monkeypatch, images_at_once):
    from frazil.backends.cupy import conv

    monkeypatch.setattr(conv, "COLUMN_BYTES", images_at_once * 4 * 3 * 9 * 64)
    (a, x), (b, w) = on_device(7, 3, 8, 8), on_device(5, 3, 3, 3, seed=1)
    results = []
    for left, right in ((x, w), (fz.tensor(a), fz.tensor(b))):
        left.requires_grad_()
        right.requires_grad_()
        y = fz.nn.functional.conv2d(left, right, padding=1)
        (y * y).sum().backward()
        results.append([t.cpu().numpy() for t in (y.detach(), left.grad, right.grad)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", [fz.bfloat16, fz.float16, fz.float32, fz.float64])
def test_random_numbers_are_those_of_every_backend(dtype):
    """The same seed gives the same weights, dropout masks and shuffles wherever a model runs."""
    drawn = []
    for device in ("cpu", "cuda_emulated"):
        g = fz.Generator(device).manual_seed(7)
        numbers = fz.rand(1001, dtype=dtype, generator=g, device=device)
        order = fz.randperm(500, generator=g, device=device)
        normal = fz.randn(1001, dtype=dtype, generator=g, device=device)
        drawn.append([(t.float() if t.dtype is fz.bfloat16 else t).cpu().numpy() for t in (numbers, order, normal)])
    for i in range(2):
        np.testing.assert_array_equal(drawn[0][i], drawn[1][i])
    rtol = {fz.bfloat16: 2**-7, fz.float16: 1e-3}.get(dtype, 1e-6)
    np.testing.assert_allclose(drawn[0][2], drawn[1][2], rtol=rtol, atol=1e-7)


@pytest.mark.slow
def test_autocast_learns_as_on_the_cpu():
    """In bfloat16, with its products, convolutions and casts; not run on a GPU."""
    expected, found = trained("cpu", fz.bfloat16, True), trained("cuda_emulated", fz.bfloat16, True)
    np.testing.assert_allclose(found, expected, rtol=0.05)
