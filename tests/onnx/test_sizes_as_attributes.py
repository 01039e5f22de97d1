"""A size of an input in the place of every number that an op takes: the file follows it, or says where it is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.nn import functional as F
from frazil.table import OPS, Op, S

# --- every attribute of every op ------------------------------------------------------------------------------------------------


def _places(value: Any) -> Iterator[tuple[int, ...]]:
    """Where numbers stand in an attribute: (), or positions in nested tuples."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield ()
    elif isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            yield from ((i, *place) for place in _places(item))


def _number(value: Any, place: tuple[int, ...]) -> Any:
    for i in place:
        value = value[i]
    return value


def _replaced(value: Any, place: tuple[int, ...], number: Any) -> Any:
    if not place:
        return number
    items = list(value)
    items[place[0]] = _replaced(items[place[0]], place[1:], number)
    return tuple(items)


def _cases() -> list[Any]:
    """One sample for every attribute, number of dimensions and sign of the number."""
    found: dict[Any, Any] = {}
    for name, op in list(OPS.items()):
        for position, sample in enumerate(op.samples if op.tensors else ()):
            for attribute, value in sample.attrs.items():
                for place in _places(value):
                    number = _number(value, place)
                    # A resize's scales say the same; max_pool_grad is given the maxima of the sample's windows.
                    if np.isfinite(number) and (name, attribute) != ("resize", "size") and name != "max_pool_grad":
                        key = (name, attribute, len(place), type(number), np.sign(number))
                        label = f"{name}-{position}-{attribute}{list(place) or ''}"
                        found.setdefault(key, pytest.param(op, sample, attribute, place, id=label))
    return list(found.values())


def _program(op: Op, sample: S, attribute: str, place: tuple[int, ...]) -> tuple[Callable[..., Any], list[fz.Tensor]]:
    """The op with the number written as a size, and its arguments: the first is there for its size of 4."""
    arrays = sample.arrays(float_dtype="float32")
    number = _number(sample.attrs[attribute], place)

    def program(z: fz.Tensor, *tensors: fz.Tensor) -> Any:
        rest = iter(tensors)
        args = [None if array is None else next(rest) for array in arrays]
        n = z.shape[0]
        size = number / 4 * n if isinstance(number, float) else n - (4 - number)
        attrs = {**sample.attrs, attribute: _replaced(sample.attrs[attribute], place, size)}
        head = len(op.tensors) - 1
        return op.call(*args[:head], args[head:], **attrs) if op.packed else op.call(*args, **attrs)

    return program, [fz.zeros(4), *(fz.tensor(array) for array in arrays if array is not None)]


@pytest.mark.parametrize(("op", "sample", "attribute", "place"), _cases())
def test_every_attribute_takes_a_size(op: Op, sample: S, attribute: str, place: tuple[int, ...]) -> None:
    program, tensors = _program(op, sample, attribute, place)
    program(*tensors)
    if op.name in ("reshape", "expand") and _number(sample.attrs[attribute], place) == -1:  # "as it fits", and no size
        with pytest.raises(fz.errors.ShapeError, match="cannot become .*z0 - 5"):
            fz.onnx.export(program, tuple(tensors), verify=False)
        return
    report = fz.onnx.export(program, tuple(tensors), verify=False)
    for size in (4, 5, 3, 6):
        given = [fz.zeros(size), *tensors[1:]]
        try:
            expected = program(*given)
        except Exception:
            continue
        try:
            found = report.run(*given)
        except Exception:
            if size == 4:
                raise
            continue  # a file may refuse other sizes; the report said so
        for a, b in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
            np.testing.assert_allclose(a, b.detach().numpy(), rtol=2e-4, atol=1e-5, equal_nan=True)


# --- what users call ------------------------------------------------------------------------------------------------------------

X = fz.tensor(np.linspace(-2, 3, 12, dtype=np.float32))
M = fz.tensor(np.linspace(-2, 3, 30, dtype=np.float32).reshape(6, 5))
IMAGE = fz.tensor(np.linspace(-2, 3, 192, dtype=np.float32).reshape(1, 3, 8, 8))
KERNEL = fz.tensor(np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3))


def _pool_grad(x: Any, **window: Any) -> Any:
    """The gradient of the sum of squares of the maxima: `max_pool_grad` with the maxima of its own windows."""
    x = x.detach().requires_grad_()
    return fz.autograd.grad((F.max_pool2d(x, 2, **window) ** 2).sum(), [x])[0]


def _set_slices(x: Any, n: Any) -> Any:
    y = x.clone()
    y[:n] = 1
    y[n:] *= 2
    y[n - 1] = n
    return y


#: Name -> (tensor, program of it and a number of 2, 3 or 4).
FUNCTIONS: dict[str, tuple[fz.Tensor, Callable[[Any, Any], Any]]] = {
    "x * n": (X, lambda x, n: x * n),
    "x * (1 / n)": (X, lambda x, n: x * (1 / n)),
    "x * n**-0.5": (X, lambda x, n: x * n**-0.5),
    "n - x": (X, lambda x, n: n - x),
    "where": (X, lambda x, n: fz.where(x > n, 1.0 / n, 0.0)),
    "full((n, 2), 1 / n)": (X, lambda x, n: fz.full((n, 2), 1 / n)),
    "new_full": (X, lambda x, n: x.new_full((n,), 2.0)),
    "zeros": (X, lambda x, n: fz.zeros(n, 2)),
    "arange": (X, lambda x, n: fz.arange(n)),
    "arange back": (X, lambda x, n: fz.arange(n - 1, -1, -1)),
    "arange float": (X, lambda x, n: fz.arange(n, dtype=fz.float32) / n),
    "linspace steps": (X, lambda x, n: fz.linspace(0, 1, n)),
    "linspace end": (X, lambda x, n: fz.linspace(0, n, 5)),
    "logspace": (X, lambda x, n: fz.logspace(0, 1, n)),
    "eye": (X, lambda x, n: fz.eye(n, 4)),
    "tril(n - 4)": (M, lambda x, n: x.tril(n - 4)),
    "triu(1 - n)": (M, lambda x, n: x.triu(1 - n)),
    "bool tril": (X, lambda x, n: fz.ones(3, n + 3, dtype=fz.bool).tril(n)),
    "diagonal": (M, lambda x, n: x.diagonal(n - 2)),
    "roll": (M, lambda x, n: x.roll((n, -n), (0, 1))),
    "narrow": (X, lambda x, n: x.narrow(0, n - 1, 2)),
    "narrow length": (X, lambda x, n: x.narrow(0, 1, n)[:1] * n),
    "x[n]": (X, lambda x, n: x[n] + x[-n]),
    "x[n:]": (X, lambda x, n: x[n:]),
    "x[n:2 * n]": (X, lambda x, n: x[n : 2 * n]),
    "x[-n:]": (X, lambda x, n: x[-n:]),
    "x[:-n]": (X, lambda x, n: x[:-n]),
    "x[:n] = 1": (X, _set_slices),
    "index_fill": (M, lambda x, n: x.index_fill(0, fz.arange(n), 1.0 / n)),
    "masked_fill": (M, lambda x, n: x.masked_fill(x > 0, n)),
    "pad": (M, lambda x, n: F.pad(x, (n, 1), value=1 / n)),
    "repeat": (M, lambda x, n: x.repeat(n, 1)),
    "tile": (M, lambda x, n: fz.tile(x, (n, 2))),
    "expand": (M, lambda x, n: x.unsqueeze(0).expand(n, -1, -1)),
    "repeat_interleave": (M, lambda x, n: x.repeat_interleave(n, 0)),
    "one_hot": (X, lambda x, n: F.one_hot(fz.tensor([0, 1, 1]), n)),
    "topk(n // 2 + 1)": (M, lambda x, n: x.topk(n // 2 + 1, dim=1)),
    "quantile": (X, lambda x, n: x.quantile(1 / n)),
    "clamp": (X, lambda x, n: x.clamp(-1 / n, n)),
    "split": (X, lambda x, n: x.split([n, 12 - n])[0] * n),
    "conv stride": (IMAGE, lambda x, n: F.conv2d(x, KERNEL, stride=n)),
    "conv padding": (IMAGE, lambda x, n: F.conv2d(x, KERNEL, padding=n)),
    "conv both": (IMAGE, lambda x, n: F.conv2d(x, KERNEL, stride=n, padding=(n - 1, 1))),
    "interpolate": (IMAGE, lambda x, n: F.interpolate(x, size=(2 * n, n), mode="bilinear")),
    "softplus": (X, lambda x, n: F.softplus(x, n)),
    "leaky_relu": (X, lambda x, n: F.leaky_relu(x, 1 / n)),
    "elu": (X, lambda x, n: F.elu(x, 1 / n)),
    "layer_norm eps": (M, lambda x, n: F.layer_norm(x, (5,), eps=1.0 / n)),
    "batch_norm eps": (IMAGE, lambda x, n: F.batch_norm(x, fz.zeros(3), fz.ones(3), eps=1.0 / n)),
    "softmax(x / n)": (X, lambda x, n: F.softmax(x / n, 0)),
    "cross_entropy ignore": (M, lambda x, n: F.cross_entropy(x, fz.tensor([0, 1, 2, 3, 4, 0]), ignore_index=n)),
    "add alpha": (X, lambda x, n: fz.add(x, x, alpha=n)),
    "addmm": (M, lambda x, n: fz.addmm(x, fz.ones(6, 4), fz.ones(4, 5), beta=n, alpha=1 / n)),
    "addcmul": (X, lambda x, n: fz.addcmul(x, x, x, value=1 / n)),
    "attention scale": (M, lambda x, n: F.scaled_dot_product_attention(x, x, x, scale=1 / n)),
    "var correction": (X, lambda x, n: x.var(correction=n)),
    "bincount": (X, lambda x, n: fz.bincount(fz.tensor([0, 1, 1]), minlength=n)),
    "meshgrid": (X, lambda x, n: fz.meshgrid(fz.arange(n), fz.arange(3), indexing="ij")[0]),
    "tensor([n, 1 / n])": (X, lambda x, n: fz.tensor([n / 1, 1 / n])),
    "max, min": (X, lambda x, n: x[: max(n - 1, 2)] * min(n, 3)),
}


def _of_size(z: fz.Tensor, x: fz.Tensor, program: Any) -> Any:
    return program(x, z.shape[0])


def _of_data(z: fz.Tensor, x: fz.Tensor, program: Any) -> Any:
    return program(x, int(z))


@pytest.mark.parametrize("kind", ["size", "data"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_follow_a_size_and_a_number_of_a_tensor(name: str, kind: str) -> None:
    x, program = FUNCTIONS[name]
    call = _of_size if kind == "size" else fz.jit.script(_of_data)
    given = {n: fz.zeros(n) if kind == "size" else fz.tensor(n) for n in (3, 2, 4)}
    report = fz.onnx.export(lambda z, x: call(z, x, program), (given[3], x), verify=False)
    for z in given.values():
        expected = call(z, x, program)
        results = expected if isinstance(expected, tuple) else (expected,)
        for a, b in zip(report.run(z, x), results, strict=True):
            assert a.shape == tuple(b.shape)
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("program", "fits", "not_"),
    [
        (lambda z, x: _pool_grad(x, stride=z.shape[0]), (1, 2, 3, 5), (0,)),
        (lambda z, x: _pool_grad(x, stride=1, dilation=z.shape[0]), (1, 2, 3, 5), (0, 8)),
        (lambda z, x: F.max_pool2d(x, 2, 1, dilation=z.shape[0], return_indices=True), (1, 2, 3, 5), (0, 8)),
        (lambda z, x: F.conv2d(x, KERNEL, dilation=z.shape[0]), (1, 2, 3), (0, 4, 5)),
        (lambda z, x: F.avg_pool2d(x, 2, z.shape[0]), (1, 2, 3, 5), (0,)),
    ],
)
def test_a_file_of_windows_made_of_sizes_computes_or_refuses_as_the_program(program: Any, fits: Any, not_: Any) -> None:
    report = fz.onnx.export(program, (fz.zeros(2), IMAGE), verify=False)
    for n in fits:
        expected = program(fz.zeros(n), IMAGE)
        for a, b in zip(report.run(fz.zeros(n), IMAGE), expected if isinstance(expected, tuple) else (expected,), strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-5)
    for n in not_:
        with pytest.raises(fz.errors.FrazilError):
            program(fz.zeros(n), IMAGE)
        with pytest.raises(Exception, match=r"."):
            report.run(fz.zeros(n), IMAGE)


def test_shapes_and_slices_take_tensors_without_a_script() -> None:
    def program(x: Any, n: Any) -> Any:
        return x[n:], x[:n], x[-n:], fz.zeros(n), fz.arange(n), x.narrow(0, n, 2), x[:1].expand(n), fz.eye(n), x.repeat(n)

    report = fz.onnx.export(program, (X, fz.tensor(3)), verify=False)
    for n in (2, 3, 5):
        for a, b in zip(report.run(X, fz.tensor(n)), program(X, fz.tensor(n)), strict=True):
            np.testing.assert_array_equal(a, b.numpy())


def test_repeat_interleave_by_a_tensor() -> None:
    report = fz.onnx.export(lambda x, r: x.repeat_interleave(r, 0), (M, fz.tensor([1, 2, 0, 3, 1, 1])))
    repeats = fz.tensor([0, 0, 4, 1, 0, 2])
    np.testing.assert_array_equal(report.run(M, repeats)[0], M.repeat_interleave(repeats, 0).numpy())


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (lambda z, x: F.conv2d(x, KERNEL, dilation=int(z)), r"conv: ONNX keeps numbers .* dilation=\(z, z\) depends on the data"),
        (lambda z, x: F.max_pool2d(x, 2, int(z)), r"max_pool: ONNX keeps numbers .* stride=\(z, z\) depends on the data"),
        (lambda z, x: x.unfold(2, int(z), 1), "the size z depends on the data"),
    ],
)
def test_what_only_the_data_decide_is_refused_with_op_and_line(program: Any, words: str) -> None:
    with pytest.raises(fz.errors.FrazilError, match=words) as error:
        fz.onnx.export(fz.jit.script(program), (fz.tensor(2), IMAGE))
    assert "test_sizes_as_attributes.py" in str(error.value)


def test_a_function_with_dropout_is_told_what_a_function_can_do() -> None:
    with pytest.raises(fz.exporters.onnx.TrainModeError, match="pass training=False"):
        fz.onnx.export(lambda x: F.dropout(x), (X,))
