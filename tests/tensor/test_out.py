"""`out=`: what PyTorch gives it to takes it here, resizes what is empty, and checks dtypes and memory as PyTorch does."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import frazil as fz
from frazil.out import EXACT, MADE

#: Calls, as text over a library T, a matrix x, a vector v and indices i. Their function is the first name.
CALLS = """
T.add(x, x)
T.add(x, x, alpha=2)
T.sub(x, 1.0)
T.mul(x, x)
T.div(x, 2.0, rounding_mode="floor")
T.exp(x)
T.clamp(x, 0, 1)
T.where(x > 0, x, x)
T.round(x)
T.pow(x, 2)
T.eq(x, x)
T.logical_not(x)
T.maximum(x, x)
T.fmax(x, x)
T.sum(x, 0)
T.prod(x, 0)
T.mean(x, 0)
T.std(x, 0)
T.var(x, 0)
T.norm(x, 2, 0)
T.logsumexp(x, 0)
T.amax(x, 0)
T.argmax(x, 0)
T.any(x, 0)
T.all(x > 0, 0)
T.cumsum(x, 0)
T.cumprod(x, 0)
T.quantile(x, 0.5)
T.max(x, x)
T.max(x, 1)
T.min(x, 1)
T.median(x, 1)
T.sort(x, 1)
T.topk(x, 2)
T.kthvalue(x, 2)
T.aminmax(x, dim=0)
T.mm(x, x)
T.matmul(x, v)
T.bmm(x[None], x[None])
T.mv(x, v)
T.dot(v, v)
T.addmm(x, x, x)
T.baddbmm(x[None], x[None], x[None])
T.outer(v, v)
T.kron(x, x)
T.cross(x[:3, :3], x[:3, :3], dim=1)
T.matrix_power(x, 2)
T.cat([x, x])
T.concat([x, x], 1)
T.stack([x, x])
T.hstack([x, x])
T.vstack([x, x])
T.gather(x, 0, i[None])
T.index_select(x, 0, i)
T.take(x, i)
T.take_along_dim(x, i[None], 0)
T.masked_select(x, x > 0)
T.nonzero(x)
T.searchsorted(v.sort()[0], v)
T.bucketize(v, v.sort()[0])
T.tril(x)
T.triu(x)
T.diag(x)
T.softmax(x, 0)
T.log_softmax(x, 0)
T.renorm(x, 2, 0, 1.0)
T.arange(3)
T.linspace(0, 1, 3)
T.logspace(0, 1, 3)
T.eye(3)
T.zeros(3)
T.ones(2, 3)
T.full((3,), 2)
""".strip().splitlines()


def run(call: str, library: Any, out: Any = None) -> Any:
    names: dict[str, Any] = {
        "T": library,
        "x": library.tensor([[(7 * r + 5 * c) % 11 - 4.5 for c in range(4)] for r in range(4)]),
    }
    names |= {"v": names["x"][1], "i": library.tensor([2, 0, 1, 1]), "out": out}
    return eval(call if out is None else f"{call[:-1]}, out=out)", names)


def empties(result: Any, library: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(library.empty(0, dtype=r.dtype) for r in result)
    return library.empty(0, dtype=result.dtype)


def flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize("call", CALLS)
def test_a_result_is_written_to_out(call: str) -> None:
    expected = run(call, fz)
    out = empties(expected, fz)
    result = run(call, fz, out)
    for value, target, given in zip(flat(expected), flat(out), flat(result), strict=True):
        assert given is target and target.shape == value.shape and fz.equal(target, value)
    again = tuple(o.zero_() for o in flat(out))
    memory = [o[:] if o.ndim else o for o in again]
    run(call, fz, again if isinstance(out, tuple) else again[0])
    for value, view in zip(flat(expected), memory, strict=True):
        assert fz.equal(view, value)  # written in place, so that views see it


def test_the_names_are_those_of_functions() -> None:
    assert {name for name in EXACT | MADE if not hasattr(fz, name)} <= {"log_softmax"}


@pytest.mark.parity
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "float16"])
def test_dtypes_of_out_are_those_of_pytorch(call: str, dtype: str) -> None:
    import torch

    results = []
    for library in (fz, torch):
        rest = flat(run(call, library))[1:]
        out: Any = library.empty(0, dtype=getattr(library, dtype))
        if rest:
            out = (out, *(library.empty(0, dtype=r.dtype) for r in rest))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                run(call, library, out)
                results.append([(str(o.dtype).rpartition(".")[2], tuple(o.shape)) for o in flat(out)])
            except NotImplementedError:
                assert library is torch, "a kernel that PyTorch lacks"
                return
            except (RuntimeError, TypeError):
                results.append([])
    assert results[0] == results[1]


def test_out_of_another_shape_is_resized_with_a_warning() -> None:
    x = fz.ones(2, 3)
    for call in (lambda out: fz.exp(x, out=out), lambda out: fz.clamp(x, 0, 1, out=out), lambda out: fz.ones(2, 3, out=out)):
        with pytest.warns(UserWarning, match="takes the shape of the result") as caught:
            assert call(out := fz.zeros(5)).shape == out.shape == (2, 3)
        assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("out", "kind"),
    [
        (fz.zeros(2, 2, requires_grad=True), fz.errors.AutogradError),
        (fz.zeros(1).expand(2, 2), fz.errors.ShapeError),
        (fz.zeros(4, 2)[0], fz.errors.ShapeError),
        (3.0, fz.errors.ArgumentError),
        ((fz.zeros(2, 2),) * 2, fz.errors.ArgumentError),
    ],
)
def test_what_cannot_be_written_to_is_refused(out: Any, kind: type[Exception]) -> None:
    for function in (fz.mul, fz.mm, fz.fmax):
        with pytest.raises(kind, match="expanded view" if kind is fz.errors.ShapeError and out.ndim == 2 else "out="):
            function(fz.ones(2, 2), fz.ones(2, 2), out=out)


def test_several_results_need_several_outs() -> None:
    with pytest.raises(fz.errors.ArgumentError, match="tuple of 2 tensors"):
        fz.max(fz.ones(2, 2), 1, out=fz.empty(0))
    with pytest.raises(fz.errors.DTypeError, match="leave dtype out"):
        fz.arange(3, dtype=fz.float32, out=fz.empty(0, dtype=fz.int64))


def test_out_may_be_an_operand_and_is_recorded() -> None:
    x = fz.ones(2)
    assert fz.add(x, 1.0, out=x) is x and x.tolist() == [2.0, 2.0]

    def twice(x: fz.Tensor) -> fz.Tensor:
        out = fz.empty(0)
        fz.fmax(x, x, out=out)
        same = fz.zeros_like(x)
        fz.add(out, x, out=same)
        return same

    assert fz.jit.trace(twice, (x,))(fz.tensor([3.0, 4.0])).tolist() == [6.0, 8.0]
