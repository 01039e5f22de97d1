"""Every op of the table against its definition, its rule, its gradients, and the promises that all ops make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError
from frazil.table import OPS, S
from frazil.testing import assert_close, kernel_arguments, kernel_replaced
from frazil.testing.reference import OF_DTYPE, REFERENCE, compute

from .cases import Case, each_case, packed, traced

#: Ops that only stand on tapes and in graphs, or move tensors between devices: no call by a user, so no sample. Those of complex
#: numbers, which few devices have, are called in test_complex.py.
WITHOUT_SAMPLES = {"detach", "view_write", "transfer", "size_to_tensor", "view_as_real", "view_as_complex"}


def expected(case: Case, arrays: list[Any]) -> tuple[np.ndarray, ...]:
    """The results by the reference, in float64."""
    tensors = [None if a is None else fz.from_numpy(a.copy()) for a in arrays]
    _, attributes = kernel_arguments(case.op, *packed(case.op, tensors), **case.sample.attrs)
    wide = [a.astype(np.float64) if a is not None and a.dtype.kind == "f" and case.op.name not in OF_DTYPE else a for a in arrays]
    results = compute(case.op.name, *wide, *[None] * (0 if case.op.packed else len(case.op.tensors) - len(wide)), **attributes)
    return results if case.op.outputs > 1 else (results,)


def check(case: Case, results: Any, references: Any, **tolerance: float) -> None:
    for y, reference in zip(results, references, strict=True):
        reference = np.asarray(reference)
        if case.op.exact:
            tolerance = {"rtol": 0, "atol": 0}
        assert_close(y, reference.astype(y.dtype.numpy), equal_nan=True, **tolerance)


# ----------------------------------------------------------------------------------------------------------------- the table


def test_every_op_has_a_reference():
    assert set(REFERENCE) == set(OPS)


def test_every_op_has_samples():
    assert {name for name, op in OPS.items() if not op.samples} == WITHOUT_SAMPLES


def test_primitives_are_the_golden_list():
    """What a backend has to bring is a promise to its authors: changing it shows here."""
    golden = Path(__file__).parents[1].joinpath("golden", "primitives.txt").read_text().split()
    assert sorted(name for name, op in OPS.items() if op.kind == "primitive") == golden


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.kind == "primitive"])
def test_primitives_have_kernels(name):
    assert fz.device("cpu").kernels[name] is not None


# ------------------------------------------------------------------------------------------------------------------- forward


@each_case("float32", "float64")
def test_values_are_those_of_the_reference(case):
    arrays = case.arrays()
    check(case, case.call(*case.tensors()), expected(case, arrays))


#: Samples whose numbers do not fit float16, or whose errors add up in its 11 bits.
ROUGH = {"float16": {"rtol": 1e-2, "atol": 2e-2}}


@each_case("float16", keep=lambda op, s: any(a is not None and a.kind == "f" for a in s.args))
def test_float16_has_values_too(case):
    arrays = case.arrays()
    results = case.call(*case.tensors())
    with np.errstate(all="ignore"):
        check(case, results, expected(case, arrays), **ROUGH["float16"])


def nested(a: np.ndarray) -> np.ndarray:
    """The same values, each second element of a larger array."""
    wide = np.zeros([2 * n for n in a.shape] or 1, a.dtype)
    part = wide.reshape(a.shape) if not a.shape else wide[tuple(slice(None, None, 2) for _ in a.shape)]
    part[...] = a
    return part


def transposed(a: np.ndarray) -> np.ndarray:
    """The same values, the first dimension the fastest."""
    return np.array(a, order="F")


@pytest.mark.parametrize("layout", [transposed, nested])
@each_case("float32")
def test_memory_layout_does_not_matter(case, layout):
    plain = case.call(*case.tensors())
    for y, z in zip(plain, case.call(*case.tensors(layout=layout)), strict=True):
        assert_close(z, y, equal_nan=True)


@each_case("float32")
def test_inputs_stay_as_they_were(case):
    tensors = case.tensors()
    case.call(*tensors)
    for t, before in zip(tensors, case.arrays(), strict=True):
        if t is not None:
            np.testing.assert_array_equal(t.numpy(), before)


#: Ops whose results are views although no single op made them: `split` makes views, and `pieces` stands for them on the tape.
MADE_OF_VIEWS = {"pieces"}


@each_case("float32")
def test_memory_is_shared_by_views_only(case):
    tensors = case.tensors()
    for y in case.call(*tensors):
        shared = [t is not None and np.shares_memory(t.numpy(), y.numpy()) for t in tensors]
        assert any(shared) == ((case.op.view or case.op.name in MADE_OF_VIEWS) and y.numel() > 0)


@each_case("float32", "float64")
def test_results_are_new_objects(case):
    tensors = case.tensors()
    assert not any(y is t for y in case.call(*tensors) for t in tensors)


# -------------------------------------------------------------------------------------------------------------- rule, recording


@each_case("float32", "float64")
def test_rule_foretells_shape_and_dtype(case):
    tensors = case.tensors()
    program = traced(case, tensors, dynamic_shapes=None)
    for value, y in zip(program.graph.outputs, case.call(*tensors), strict=True):
        assert value.spec.dtype is y.dtype
        if case.op.name != "nonzero_positions":  # how many there are, only the data know
            assert tuple(value.spec.shape) == tuple(y.shape)


def resized(case: Case, size: Callable[[int], int]) -> list[np.ndarray | None]:
    """The inputs at other sizes: equal sizes stay equal, and 1 still broadcasts."""
    rng = np.random.default_rng(1)
    arrays: list[np.ndarray | None] = []
    for arg in case.sample.args:
        if arg is None:
            arrays.append(None)
            continue
        shape = tuple(size(n) if n > 1 else n for n in arg.shape)
        array = arg._replace(shape=shape).make(rng, case.dtype)
        arrays.append(np.resize(array, shape))
    return arrays


#: Ops that do not run at another size in any sample: their attributes are sizes, or they have no tensor of a free size.
FIXED_SIZE = {
    "fill", "sequence", "conv_input_grad", "biased_conv_input_grad", "avg_pool_grad", "max_pool_grad", "layer_norm",
    "layer_norm_grad", "rms_norm", "random_bits", "random_uniform", "random_normal", "random_int63", "random_permutation",
    "fourier", "fourier_from_half",
}  # fmt: skip


def runs_at_another_size(case: Case, size: Callable[[int], int]) -> bool:
    """Whether a recording of the case runs for inputs of other sizes; what it gives must be what the call itself gives."""
    arrays = resized(case, size)
    program = traced(case, case.tensors())
    others = [None if a is None else fz.from_numpy(a) for a in arrays]
    try:
        wanted = case.call(*others)
    except FrazilError:
        wanted = None
    try:
        found = program(*(t for t in others if t is not None))
    except FrazilError:
        return False
    assert wanted is not None, "the call is refused at this size, its recording is not"
    for y, z in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        assert_close(y, z, equal_nan=True)
    return True


OTHER_SIZES = {"one more": lambda n: n + 1, "double": lambda n: 2 * n}


@pytest.mark.parametrize("size", OTHER_SIZES.values(), ids=OTHER_SIZES)
@each_case("float32")
def test_recording_is_right_or_refuses_at_another_size(case, size):
    runs_at_another_size(case, size)


@each_case("float32", keep=lambda op, sample: op.layout == "elementwise")
def test_elementwise_ops_refuse_no_size(case):
    """Files whose broadcasts are left open (`export`) count on it: a rule that refused a size would not be asked in them."""
    for n in (0, 1, 2):
        for result in case.call(*case.tensors(layout=lambda a, n=n: np.resize(a, n))):
            assert result.shape == (n,)


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if op.samples])
def test_some_recording_runs_at_another_size(name):
    op = OPS[name]
    resizable = [Case(op, s, "float32") for s in op.samples if any(a is not None and any(n > 1 for n in a.shape) for a in s.args)]
    assert any(runs_at_another_size(case, size) for case in resizable for size in OTHER_SIZES.values()) == (
        name not in FIXED_SIZE
    )


@each_case("float64")
def test_recording_computes_the_same(case):
    tensors = case.tensors()
    found = traced(case, tensors)(*(t for t in tensors if t is not None))
    for y, z in zip(found if isinstance(found, tuple) else (found,), case.call(*tensors), strict=True):
        assert_close(y, z, equal_nan=True, rtol=0, atol=0)


# ----------------------------------------------------------------------------------------------------------------- gradients


def gradient_case(op: Any, sample: S) -> bool:
    case = Case(op, sample, "float64")
    if not sample.grad or not any(case.differentiable(i) for i in range(len(sample.args))):
        return False
    return any(y.dtype.is_floating_point for y in case.call(*case.tensors()))


def leaves(case: Case) -> list[Any]:
    return [t.requires_grad_() if t is not None and case.differentiable(i) else t for i, t in enumerate(case.tensors())]


@each_case("float64", keep=gradient_case)
def test_gradient_is_that_of_differences(case):
    assert fz.autograd.gradcheck(case.call, leaves(case))


@each_case("float64", keep=gradient_case)
def test_second_gradient_is_that_of_differences(case):
    assert fz.autograd.gradgradcheck(case.call, leaves(case))


@each_case("float32", "float16", keep=gradient_case)
def test_gradients_have_the_dtype_and_shape_of_their_input(case):
    tensors = leaves(case)
    results = [y for y in case.call(*tensors) if y.requires_grad]
    targets = [t for t in tensors if t is not None and t.requires_grad]
    found = fz.autograd.grad(results, targets, [fz.ones_like(y) for y in results], allow_unused=True)
    for t, g in zip(targets, found, strict=True):
        assert g is None or (g.dtype is t.dtype and g.shape == t.shape)


# ------------------------------------------------------------------------------------------------- kernels against bodies


def has_kernel(op: Any, sample: S) -> bool:
    return op.body is not None and bool(op.tensors) and fz.device("cpu").kernels[op.name] is not None


@each_case("float32", "float64", keep=has_kernel)
def test_fast_kernel_computes_what_the_body_says(case):
    tensors = case.tensors()
    fast = case.call(*tensors)
    with kernel_replaced("cpu", case.op.name, None):
        plain = case.call(*tensors)
    for y, z in zip(fast, plain, strict=True):
        assert_close(y, z, equal_nan=True)


# -------------------------------------------------------------------------------------------------------------------- errors

ERRORS = [pytest.param(op, error, id=f"{op.name}-{i}") for op in OPS.values() for i, error in enumerate(op.errors)]


@pytest.mark.parametrize("op, error", ERRORS)
def test_wrong_calls_are_explained(op, error):
    case = Case(op, error.sample, "float32")
    with pytest.raises(FrazilError, match=error.match):
        case.call(*case.tensors())


@pytest.mark.parametrize("op, error", ERRORS)
def test_wrong_calls_are_explained_while_recording(op, error):
    case = Case(op, error.sample, "float32")
    with pytest.raises(FrazilError, match=error.match):
        traced(case, case.tensors(), dynamic_shapes=None)
