"""Complex tensors: values as NumPy's, gradients as Wirtinger's calculus has them, views that share memory, refusals."""

from __future__ import annotations

import cmath
import math
import re

import numpy as np
import pytest

import frazil as fz
from frazil.errors import DTypeError, FrazilError, ShapeError
from frazil.table import OPS

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)


A, B, R = numbers(3, 4), numbers(3, 4), RNG.standard_normal((3, 4))

UNARY = (
    "exp log sqrt sin cos tan tanh sinh cosh asin acos atan asinh acosh atanh reciprocal square log2 log10 log1p expm1 exp2"
).split()
NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh"}


def wrong_values(dtype: str, device: str) -> list[str]:
    """Names of calls that differ from NumPy's."""
    a, b = A.astype(dtype), B.astype(dtype)
    x, y = fz.from_numpy(a).to(device), fz.from_numpy(b).to(device)
    calls = {name: (getattr(fz, name)(x), getattr(np, NAMES.get(name, name))(a)) for name in UNARY}
    calls |= {
        "add": (x + y, a + b),
        "mul": (x * y, a * b),
        "div": (x / y, a / b),
        "pow": (x**y, a**b),
        "number": (2j * x - 1, 2j * a - 1),
        "sum": (x.sum(0), a.sum(0)),
        "mean": (x.mean(), a.mean()),
        "prod": (x.prod(1), a.prod(1)),
        "cumsum": (x.cumsum(1), a.cumsum(1)),
        "matmul": (x @ y.mT, a @ b.T),
        "mH": (x @ y.mH, a @ b.conj().T),
        "einsum": (fz.einsum("ij,kj->ik", x, y), a @ b.T),
        "where": (fz.where(x.real > 0, x, y), np.where(a.real > 0, a, b)),
        "cat": (fz.cat([x, y]), np.concatenate([a, b])),
        "index": (x[x.abs() > 1], a[abs(a) > 1]),
        "eq": (x == x.clone(), a == a),
        "abs": (x.abs(), abs(a)),
        "std": (x.std(), a.std(ddof=1)),
        "angle": (x.angle(), np.angle(a)),
        "sgn": (x.sgn(), a / abs(a)),
        "conj": (x.conj(), a.conj()),
        "vdot": (fz.vdot(x[0], y[0]), np.vdot(a[0], b[0])),
        "norm": (x.norm(), np.linalg.norm(a)),
        "silu": (fz.nn.functional.silu(x), a / (1 + np.exp(-a))),
        "logaddexp": (fz.logaddexp(x, y), np.log(np.exp(a) + np.exp(b))),
        "logsumexp": (x.logsumexp(1), np.log(np.exp(a).sum(1))),
        "sigmoid": (x.sigmoid(), 1 / (1 + np.exp(-a))),
        "rsqrt": (x.rsqrt(), 1 / np.sqrt(a)),
        "polar": (fz.polar(x.abs(), x.angle()), a),
        "complex": (fz.complex(x.real, x.imag), a),
    }
    tolerance = {"complex64": 3e-5, "complex128": 1e-12}[dtype]
    return [
        name
        for name, (found, expected) in calls.items()
        if found.cpu().numpy().dtype != np.asarray(expected).dtype
        or not np.allclose(found.cpu().numpy(), expected, tolerance, tolerance)
    ]


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_values_are_those_of_numpy(dtype):
    assert not wrong_values(dtype, "cpu")


GRADIENTS = {
    **{name: getattr(fz, name) for name in UNARY},
    "mul": lambda a: a * a.conj(),
    "div": lambda a: 1j / a,
    "pow": lambda a: a ** (2 - 1j),
    "base": lambda a: (1 + 1j) ** a,
    "abs": abs,
    "angle": fz.angle,
    "sgn": fz.sgn,
    "real": lambda a: a.real * a.imag,
    "pairs": lambda a: fz.view_as_real(a) ** 2,
    "matmul": lambda a: a @ a.mH,
    "sum": lambda a: a.sum(0) * a.mean(),
    "prod": lambda a: a.prod(1),
    "cumprod": lambda a: a.cumprod(0),
    "norm": lambda a: a.norm(dim=1),
    "var": lambda a: a.var(),
    "where": lambda a: fz.where(a.real > 0, a, a * a),
    "index": lambda a: a[1:, ::2],
    "polar": lambda a: fz.polar(a.abs(), a.angle() * 2),
    "cast": lambda a: a.abs().to(fz.complex128) * a,
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_two_orders_are_those_of_differences(name):
    x = fz.tensor(A[:2, :3], requires_grad=True)
    assert fz.autograd.gradcheck(GRADIENTS[name], x)
    assert fz.autograd.gradgradcheck(GRADIENTS[name], x)


def test_real_operands_have_real_gradients():
    r, z = fz.tensor(R, requires_grad=True), fz.tensor(A, requires_grad=True)
    assert fz.autograd.gradcheck(lambda r, z: r * z + fz.complex(r, 2 * r) / z, (r, z))
    (g,) = fz.autograd.grad((r * z).abs().sum(), r)
    assert g.dtype is fz.float64


def test_the_gradient_of_a_real_loss_points_uphill():
    z = fz.tensor([1 + 2j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    assert z.grad.tolist() == [2 + 4j]


def test_parts_are_views():
    z = fz.tensor([1 + 2j, 3 - 1j])
    z.real[0] = 5.0
    z.imag.mul_(2)
    fz.view_as_real(z)[1, 0] = 7.0
    assert z.tolist() == [5 + 4j, 7 - 2j]
    pairs = fz.zeros(2, 2)
    fz.view_as_complex(pairs).add_(1 + 2j)
    assert pairs.tolist() == [[1, 2], [1, 2]]
    leaf = fz.tensor([1 + 2j], requires_grad=True)
    y = leaf * 1
    y.imag.mul_(3)
    (g,) = fz.autograd.grad(y.real.sum() + y.imag.sum(), leaf)
    assert g.tolist() == [1 + 3j]


def test_what_real_tensors_say():
    x = fz.tensor([-2.0, 3.0, math.nan])
    assert x.real is x and x.conj() is x and fz.conj_physical(x) is not x
    np.testing.assert_allclose(fz.angle(x).numpy(), [math.pi, 0, math.nan], rtol=1e-6)
    with pytest.raises(DTypeError, match="imag: only complex"):
        _ = x.imag
    with pytest.raises(DTypeError, match="view_as_real: x must be complex"):
        fz.view_as_real(x)
    with pytest.raises(ShapeError, match="must be 2"):
        fz.view_as_complex(x)


ORDERED = {
    "lt": lambda x: x < x,
    "max": lambda x: x.max(),
    "maximum": lambda x: fz.maximum(x, x),
    "sort": lambda x: x.sort(),
    "relu": fz.relu,
    "floor": fz.floor,
    "round": fz.round,
    "clamp": lambda x: x.clamp(0, 1),
    "sign": fz.sign,
    "argmax": lambda x: x.argmax(),
    "topk": lambda x: x.topk(1),
    "median": lambda x: x.median(),
    "amin": lambda x: x.amin(0),
    "remainder": lambda x: x % 2,
    "softmax": lambda x: fz.softmax(x, 0),
    "lgamma": fz.lgamma,
    "floor_divide": lambda x: x // 2,
    "rfloordiv": lambda x: 2 // x,
    "mixed": lambda x: fz.ones(2) % x,
    "fmod": lambda x: fz.fmod(x, x),
    "div, floor": lambda x: fz.div(x, x, rounding_mode="floor"),
    "div, trunc": lambda x: fz.div(x, 2, rounding_mode="trunc"),
    "atan2": lambda x: fz.atan2(x, fz.ones(2)),
    "hypot": lambda x: fz.hypot(x, x),
    "in place": lambda x: x.remainder_(x),
    "erf": fz.erf,
    "erfc": fz.erfc,
    "gelu": fz.nn.functional.gelu,
    "i0": fz.special.i0,
    "igamma": lambda x: fz.igamma(x, x),
    "isposinf": fz.isposinf,
    "searchsorted": lambda x: fz.searchsorted(x, x),
    "recorded": lambda x: fz.jit.trace(lambda x: x // x, (x,)),
}


@pytest.mark.parametrize("name", ORDERED)
def test_complex_numbers_have_no_order(name):
    with pytest.raises(FrazilError, match="not defined for complex tensors"):
        ORDERED[name](fz.tensor([1 + 2j, 3j]))


#: What only devices say: the name of a function of NumPy, or a KeyError.
_FOREIGN = re.compile(r"ufunc|safely coerced|Cannot cast|complex128|^(\w+): \1$")


def _as_complex(array):
    if array is None or array.dtype.kind != "f":
        return array if array is None else fz.tensor(array)
    parts = np.stack([array, array], -1).astype(np.float32)
    return fz.tensor(parts.view(np.complex64)[..., 0])


@pytest.mark.filterwarnings("ignore")
def test_ops_compute_complex_numbers_or_refuse_them_in_words():
    """Every op, with its float arguments complex, and with the first of them alone."""
    raw = []
    for name, op in OPS.items():
        for sample in op.samples[:3]:
            arrays = sample.arrays()
            places = [i for i, a in enumerate(arrays) if a is not None and a.dtype.kind == "f"]
            for chosen in (places, places[:1]) if places else ():
                given = [
                    _as_complex(a) if i in chosen or i not in places else fz.tensor(a.astype(np.float32))
                    for i, a in enumerate(arrays)
                ]
                try:
                    op.call(*([given] if op.packed and len(op.tensors) == 1 else given), **sample.attrs)
                except FrazilError as error:
                    if _FOREIGN.search(str(error).partition("\n")[0]):
                        raw.append(f"{name}: {error}")
                except Exception as error:
                    if name not in INTERNAL_GRADIENTS:
                        raw.append(f"{name}: {type(error).__name__}: {error}")
    assert not raw, "\n".join(raw)


#: Gradients of ops that refuse complex numbers themselves: nobody else calls them.
INTERNAL_GRADIENTS = {"class_cross_entropy_grad"}


def test_making_printing_and_numbers():
    assert str(fz.tensor([1 + 2j])) == "tensor([1.+2.j])"
    assert fz.full((2,), 1j).dtype is fz.complex64 and fz.tensor([1.0]).cdouble().dtype is fz.complex128
    assert fz.ones(2, dtype=fz.complex64).tolist() == [1, 1]
    assert (fz.tensor([1.0]) * 1j).dtype is fz.complex64 and (fz.tensor([1.0], dtype=fz.float64) * 1j).dtype is fz.complex128
    assert complex(fz.tensor(1 + 2j)) == 1 + 2j and cmath.isclose(fz.tensor(3j).item(), 3j)
    fz.manual_seed(0)
    drawn = fz.randn(4000, dtype=fz.complex64)
    assert abs(float(drawn.std()) - 1) < 0.05 and drawn.dtype is fz.complex64
    assert 0 <= float(fz.rand(50, dtype=fz.complex128).imag.min()) < 1


def test_a_recording_computes_complex_numbers():
    def rotate(x, turn):
        return fz.view_as_real(fz.view_as_complex(x.reshape(3, 2, 2)) * fz.polar(fz.ones_like(turn), turn)).reshape(3, 4)

    x, turn = fz.from_numpy(R), fz.from_numpy(R[:, :2].copy())
    np.testing.assert_allclose(fz.jit.trace(rotate, (x, turn))(x, turn).numpy(), rotate(x, turn).numpy())
