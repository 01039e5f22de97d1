"""Functions that are loaded when asked for: recorded they do what they do eagerly, on other sizes too."""

from __future__ import annotations

import subprocess
import sys
from inspect import unwrap

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError
from frazil.late import FUNCTIONS_OF, METHODS_OF, load_all
from frazil.table import FUNCTIONS, METHODS
from frazil.testing import assert_close

INDEX = fz.tensor([1, 0, 1])
#: Name -> a call with a matrix of numbers and one of whole numbers.
CALLS = {
    "cummax": lambda x, i: (x.cummax(1).values, x.cummax(0).indices, i.cummin(1).values),
    "logcumsumexp": lambda x, i: fz.logcumsumexp(x, 1),
    "gradient": lambda x, i: fz.gradient(x, spacing=0.5)[1],
    "mode": lambda x, i: i.mode(1).values,
    "nanmedian": lambda x, i: x.nanmedian(1).values,
    "nanquantile": lambda x, i: fz.nanquantile(x, fz.tensor([0.2, 0.5]), 1),
    "histogram": lambda x, i: fz.histogram(x, 4, range=(-2.0, 2.0)).hist,
    "unravel_index": lambda x, i: fz.unravel_index(i.abs(), (3, 4)),
    "gcd": lambda x, i: (fz.gcd(i, i + 6), fz.lcm(i, i + 6)),
    "frexp": lambda x, i: tuple(fz.frexp(x)),
    "nextafter": lambda x, i: fz.nextafter(x, -x),
    "index_reduce": lambda x, i: x.index_reduce(0, INDEX, x[:3] * 2, "amax"),
    "put": lambda x, i: x.put(INDEX[:2], x[0, :2]),
    "segment_reduce": lambda x, i: fz.segment_reduce(x[:3], "mean", lengths=fz.tensor([1, 2])),
    "pdist": lambda x, i: fz.pdist(x),
    "fake_quantize": lambda x, i: fz.fake_quantize_per_tensor_affine(x, 0.25, 1, -2, 6),
    "copies": lambda x, i: (fz.t_copy(x), fz.slice_copy(x, 0, 1), fz.diagonal_copy(x)),
    "sum_to_size": lambda x, i: x.sum_to_size(1, x.shape[1]),
    "complex": lambda x, i: (fz.complex(x, x) * 2).as_strided((2, 2), (2, 1)).view(fz.float32),
    "linspace": lambda x, i: (fz.linspace(x[0, 0], i[0, 0], 7, dtype=fz.int64), fz.linspace(x[0, 0], 2, x.shape[0])),
    "narrow_copy": lambda x, i: x.narrow_copy(0, 1, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_recording_runs_at_other_sizes(name):
    def inputs(rows, columns):
        rng = np.random.default_rng(rows)
        return fz.tensor(rng.standard_normal((rows, columns)), dtype=fz.float32), fz.tensor(rng.integers(-9, 9, (rows, columns)))

    program = fz.jit.trace(CALLS[name], inputs(4, 5))
    for sizes in ((4, 5), (7, 9), (3, 17)):
        found, wanted = program(*inputs(*sizes)), CALLS[name](*inputs(*sizes))
        for y, z in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, wanted)), strict=True):
            assert_close(y, z)


def test_they_are_loaded_when_asked_for():
    code = (
        "import sys, frazil as fz; before = [m for m in sys.modules if 'frazil.rare' in m]; fz.ones(2).cummax(0)"
        "; print(before, sorted(m for m in sys.modules if 'frazil.rare.' in m))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[] ['frazil.rare.scans']"


def test_the_lists_are_what_the_files_have():
    load_all()
    for names in FUNCTIONS_OF.values():
        assert {*names.split()} <= {*FUNCTIONS}
        # unwrapped: once a program has a subclass of Tensor, calls ask it first
        assert all(unwrap(getattr(fz, name)) is unwrap(FUNCTIONS[name]) for name in names.split())
    for names in METHODS_OF.values():
        assert all(unwrap(getattr(fz.Tensor, name)) is unwrap(METHODS[name]) for name in names.split())
    of_rare = {name for table in (FUNCTIONS, METHODS) for name, f in table.items() if f.__module__.startswith("frazil.rare")}
    listed = " ".join([*FUNCTIONS_OF.values(), *METHODS_OF.values()]).split()
    assert of_rare - {*listed} <= {f"{name}_" for name in listed}


def test_under_vmap():
    x = fz.arange(12.0).reshape(3, 4)
    i = fz.tensor([[12, 18], [7, 21], [0, 5]])
    assert_close(fz.vmap(lambda r: r.cummax(0).values)(x), x.cummax(1).values)
    assert_close(fz.vmap(fz.gcd)(i, i.flip(1)), fz.gcd(i, i.flip(1)))


def test_writes_go_through_strides():
    x = fz.zeros(3, 4)
    y = x.as_strided((2, 2), (5, 1), 1)
    y += fz.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.flatten().tolist() == [0, 1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0]
    windows = x.as_strided((3, 2), (1, 1))
    windows.zero_()
    assert x.sum().item() == 10  # a copy: windows that overlap
    x.requires_grad_()
    x.as_strided((3, 2), (1, 1)).sum().backward()
    assert x.grad.flatten()[:5].tolist() == [1, 2, 2, 1, 0]


def test_strided_parts_are_of_the_dtype_and_have_the_gradient_of_their_tensor():
    z = fz.zeros(4, dtype=fz.complex64)
    z.imag.as_strided((2,), (2,)).fill_(3.0)
    assert z.tolist() == [3j, 3j, 0, 0]
    x = fz.randn(4, dtype=fz.complex64).requires_grad_()  # seen as complex numbers, its memory is made of real ones
    y = x.as_strided((2,), (1,), 1)
    assert y.dtype is fz.complex64 and y.tolist() == x[1:3].tolist()
    (y * y.conj()).real.sum().backward()
    assert_close(x.grad, fz.cat([x[:1] * 0, 2 * x[1:3], x[:1] * 0]).detach())
    leaf = fz.ones(4)[1:].requires_grad_()
    leaf.as_strided((2,), (2,)).sum().backward()
    assert leaf.grad.tolist() == [1.0, 0.0, 1.0]
    with pytest.raises(FrazilError, match="which begin at 1"):
        leaf.as_strided((2,), (1,), 0)


def test_memory_is_known_by_its_address():
    x = fz.zeros(4, 3)
    same = [t.untyped_storage() for t in (x, x[1:], x.t(), x.detach().view(-1))]
    assert len({*same}) == 1
    assert len({*same, x.clone().untyped_storage()}) == 2
    assert (x.storage().size(), x.untyped_storage().nbytes(), len(x[1].storage())) == (12, 48, 12)
    y = fz.empty(0).set_(x[1:])
    y[0] = 5.0
    assert x[1].tolist() == [5.0, 5.0, 5.0]
    assert fz.zeros(0).set_(x.storage(), 3, (2,), (2,)).tolist() == [5.0, 5.0]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: x.as_strided((9, 9), (1, 1)), "beyond the 6 elements"),
        (lambda x: x[0].resize_(9), "is a view"),
        (lambda x: x.requires_grad_().resize_(9), "keeps its size"),
        (lambda x: fz.gcd(x, x), "expected integers"),
        (lambda x: fz.index_reduce(x, 0, fz.tensor([0]), x, "sum"), "reduce is one of"),
        (lambda x: fz.poisson(-x - 1), "must not be negative"),
        (lambda x: fz.binomial(x, x + 2), "between 0 and 1"),
        (lambda x: x.mode(2), "out of range"),
        (lambda x: x.sum_to_size(4, 3), "does not broadcast"),
        (lambda x: fz.segment_reduce(x, "sum", lengths=fz.tensor([9])), "must add up to 2"),
    ],
)  # fmt: skip
def test_what_is_said(call, said):
    with pytest.raises((FrazilError, ValueError, RuntimeError, IndexError), match=said):
        call(fz.zeros(2, 3))


@pytest.mark.parametrize("mean", [0.2, 4.0, 30.0, 1e5])
def test_numbers_of_poisson_and_binomial_have_their_moments(mean):
    fz.manual_seed(0)
    n = 4000
    for drawn, variance in (
        (fz.poisson(fz.full((n,), mean, dtype=fz.float64)), mean),
        (fz.binomial(fz.full((n,), 2 * mean).ceil().double(), fz.full((n,), 0.4, dtype=fz.float64)), 0.24 * np.ceil(2 * mean)),
    ):
        centre = mean if variance == mean else 0.4 * np.ceil(2 * mean)
        assert abs(drawn.mean().item() - centre) < 5 * (variance / n) ** 0.5
        assert abs(drawn.var().item() / variance - 1) < 0.2
        assert_close(drawn, drawn.floor())


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", "bool"])
def test_hash_tensor_is_the_exclusive_or_of_64_bits(dtype):
    a = (np.random.default_rng(0).standard_normal((3, 5, 2)) * 9).astype(dtype)
    bits = a.astype(np.float64 if a.dtype.kind == "f" else np.int64).view(np.uint64)
    x = fz.tensor(a)
    assert fz.hash_tensor(x).item() == np.bitwise_xor.reduce(bits, axis=None)
    assert fz.hash_tensor(x, 1, keepdim=True).tolist() == np.bitwise_xor.reduce(bits, axis=1, keepdims=True).tolist()
    assert fz.hash_tensor(x, (0, -1)).tolist() == np.bitwise_xor.reduce(bits, axis=(0, 2)).tolist()


def test_hash_tensor_of_nothing_is_refused():
    with pytest.raises(IndexError, match="nothing to reduce in"):
        fz.hash_tensor(fz.zeros(0, 3), 0)
