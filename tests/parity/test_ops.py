"""Every op of the table and every public function does what PyTorch's does: values, dtypes, gradients."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.table import OPS
from frazil.testing import assert_close, kernel_arguments

from ..ops.cases import Case, cases, packed
from .torch_ops import ELSEWHERE, torch, torch_op

pytestmark = pytest.mark.parity


def same(ours: Any, theirs: Any, **options: Any) -> None:
    """Equal in structure, dtype and shape, and nearly in value."""
    if isinstance(theirs, (tuple, list)) and not isinstance(theirs, torch.Size):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, **options)
    elif isinstance(theirs, torch.Tensor):
        assert str(ours.dtype) == str(theirs.dtype).replace("torch.", "frazil.")
        assert_close(ours, theirs.numpy(force=True), equal_nan=True, **options)
    elif isinstance(theirs, torch.dtype):
        assert str(ours) == str(theirs).replace("torch.", "frazil.")
    else:
        assert ours == theirs
        assert isinstance(ours, type(theirs)) or isinstance(theirs, tuple)


def test_every_op_is_compared():
    known = {name for name in OPS if name in ELSEWHERE or callable(torch_op(name))}
    assert known == set(OPS)


def compared(op: Any, sample: Any) -> bool:
    return op.name not in ELSEWHERE


def run_both(case: Case, requires_grad: bool) -> tuple[list[Any], list[Any], tuple[Any, ...], tuple[Any, ...]]:
    """Inputs and results of a sample in both libraries."""
    ours = case.tensors()
    _, attributes = kernel_arguments(case.op, *packed(case.op, ours), **case.sample.attrs)
    theirs = [None if a is None else torch.tensor(a) for a in case.arrays()]
    if requires_grad:
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a is not None and case.differentiable(i):
                a.requires_grad_()
                b.requires_grad_()
    missing = 0 if case.op.packed else len(case.op.tensors) - len(theirs)
    results = torch_op(case.op.name)(*theirs, *[None] * missing, **attributes)
    return ours, theirs, case.call(*ours), tuple(results) if case.op.outputs > 1 else (results,)


@pytest.mark.parametrize("case", cases("float32", "float64", keep=compared))
def test_values(case):
    _, _, ours, theirs = run_both(case, requires_grad=False)
    same(ours, theirs)


#: No derivative in PyTorch.
NO_GRADIENT = {
    "floor_divide", "one_hot", "bessel_j1", "bessel_y0", "bessel_y1", "spherical_bessel_j0",
    "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
}  # fmt: skip


def differentiable(op: Any, sample: Any) -> bool:
    """Whether gradients flow through the op: by its vjp, or by a body that is not itself a gradient."""
    flows = op.differentiable or (op.through_body and not op.name.endswith("_grad"))
    return compared(op, sample) and flows and sample.grad


@pytest.mark.parametrize("name", sorted(NO_GRADIENT))
def test_pytorch_has_no_gradient(name):
    meant = [Case(OPS[name], sample, "float64") for sample in OPS[name].samples if differentiable(OPS[name], sample)]
    assert meant
    for case in meant:
        results = run_both(case, requires_grad=True)[3]
        if any(z.requires_grad for z in results):
            with pytest.raises(RuntimeError, match="derivative for .* is not implemented"):
                sum(z.sum() for z in results).backward()


def with_gradient(op: Any, sample: Any) -> bool:
    return differentiable(op, sample) and op.name not in NO_GRADIENT


@pytest.mark.parametrize("case", cases("float32", "float64", keep=with_gradient))
def test_gradients(case):
    inputs, their_inputs, ours, theirs = run_both(case, requires_grad=True)
    rng = np.random.default_rng(0)
    directions = [rng.standard_normal(tuple(z.shape)) for z in theirs]
    assert any(z.requires_grad for z in theirs)
    for xp, results in ((fz, ours), (torch, theirs)):
        tracked = [(y, xp.tensor(d).to(y.dtype)) for y, d in zip(results, directions, strict=True) if y.requires_grad]
        xp.autograd.backward([y for y, _ in tracked], [d for _, d in tracked])
    for x, w in zip(inputs, their_inputs, strict=True):
        if w is not None and w.grad is not None:
            same(x.grad, w.grad)


# ------------------------------------------------------------------------------------------------------------------ promotion

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
BINARY = [
    "add", "sub", "mul", "div", "floor_divide", "remainder", "fmod", "pow", "maximum", "minimum", "atan2", "eq", "lt",
    "bitwise_and", "logical_or", "bitwise_left_shift",
]  # fmt: skip


PREDICATES = {"eq", "lt", "logical_or"}


def operands(kind: str, dtype: str) -> tuple[Any, Any]:
    """The same operand in both libraries: a tensor, a 0-d tensor, or a number."""
    array = np.array([1, 2, 1]).astype(dtype) if kind == "tensor" else np.array(2).astype(dtype)
    if kind == "number":
        return array.item(), array.item()
    return fz.tensor(array), torch.tensor(array)


def outcome(fn: Any, *args: Any) -> Any:
    try:
        return fn(*args)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        return type(error)


@pytest.mark.parametrize("name", BINARY)
def test_promotion(name):
    """Every pair of dtypes, as tensors, 0-d tensors and numbers: the same dtype and values, or refused by both.

    Where PyTorch refuses numbers or bools, a result of the common dtype is welcome.
    """
    wrong = []
    numbers = ["bool", "int64", "float64"]
    for first, second in itertools.product(["tensor", "scalar"], ["tensor", "scalar", "number"]):
        for a, b in itertools.product(DTYPES, numbers if second == "number" else DTYPES):
            (x, u), (y, v) = operands(first, a), operands(second, b)
            ours, theirs = outcome(getattr(fz, name), x, y), outcome(getattr(torch, name), u, v)
            if isinstance(theirs, type) and not isinstance(ours, type):
                accepted = fz.add(x, y).dtype if name not in PREDICATES else fz.bool
                if name == "atan2" and not accepted.is_floating_point:
                    accepted = fz.float32
                if ours.dtype is not accepted:
                    wrong.append(f"{first} {a}, {second} {b}: {ours!r}, in PyTorch {theirs!r}")
            elif isinstance(theirs, type) or isinstance(ours, type):
                if not isinstance(theirs, type) and (name, b, second) != ("pow", "bool", "number"):
                    wrong.append(f"{first} {a}, {second} {b}: {ours!r}, in PyTorch {theirs!r}")
            elif str(ours.dtype)[7:] != str(theirs.dtype)[6:] or not np.allclose(ours.numpy(), theirs.numpy(), rtol=1e-3):
                wrong.append(f"{first} {a}, {second} {b}: {ours!r}, in PyTorch {theirs!r}")
    assert not wrong, "\n".join(wrong)


def test_promote_types():
    for a, b in itertools.product(DTYPES, DTYPES):
        same(fz.promote_types(getattr(fz, a), getattr(fz, b)), torch.promote_types(getattr(torch, a), getattr(torch, b)))
