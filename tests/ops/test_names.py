"""Every argument of every op and function by PyTorch's own name, and what is said of names that are none."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest

import frazil as fz
from frazil.late import IN_PLACE, load_all
from frazil.table import FUNCTIONS, OPS
from frazil.testing import assert_close

PUBLIC = [op for op in OPS.values() if op.public and not op.packed and op.samples]


@pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)
def test_tensors_of_an_op_by_pytorchs_names(op):
    sample = op.samples[0]
    tensors = [None if a is None else fz.tensor(a) for a in sample.arrays()]
    named = dict(zip(op.names, tensors, strict=False))
    assert set(named) <= {"input", "other", "end", "weight", "tensor1", "tensor2"}
    assert_close(op.call(**named, **sample.attrs), op.call(*tensors, **sample.attrs), equal_nan=True)
    assert_close(op.call(*tensors[:1], **dict(list(named.items())[1:]), **sample.attrs), op.call(**named, **sample.attrs))


def test_names_of_numpy():
    x = fz.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert fz.sum(x, axis=0, keepdims=True).tolist() == fz.sum(a=x, dim=0, keepdim=True).tolist() == [[4.0, 7.0]]
    assert fz.add(x1=x, x2=x).tolist() == (x + x).tolist()
    assert fz.sort(x, axis=0, descending=True).values.tolist() == [[3.0, 5.0], [1.0, 2.0]]
    assert fz.swapaxes(x, axis0=0, axis1=1).tolist() == x.T.tolist()


def test_sizes_and_dims_by_name():
    x = fz.arange(6)
    assert fz.reshape(input=x, shape=(2, 3)).shape == x.view(size=(2, 3)).shape == (2, 3)
    assert fz.flip(input=x, dims=(0,)).tolist() == x.flip(dims=[0]).tolist() == [5, 4, 3, 2, 1, 0]
    assert [p.tolist() for p in fz.split(x, split_size_or_sections=4)] == [p.tolist() for p in x.split(split_size=4)]
    assert fz.tile(input=x[:1], dims=(2, 2)).tolist() == x[:1].repeat(repeats=(2, 2)).tolist() == [[0, 0], [0, 0]]
    assert fz.permute(x.view(2, 3), dims=(1, 0)).shape == x[:1].expand(size=(3, 1)).T.T.shape[:1] + (2,)


TAKE_OUT = sorted(name for name, f in FUNCTIONS.items() if "out" in inspect.signature(f).parameters)


def test_out_of_functions():
    x = fz.tensor([[3.0, 1.0], [2.0, 5.0]])
    out = fz.empty(0)
    assert {"softmax", "mm", "sort", "clamp", "stack", "where", "div"} <= set(TAKE_OUT)
    for call in (fz.softmax, fz.log_softmax, fz.cumsum):
        assert call(input=x, dim=1, out=out) is out
        assert_close(out, call(x, 1))
    assert fz.stack([x, x], out=fz.empty(2, 2, 2)).shape == (2, 2, 2)
    values, indices = fz.empty(2, 2), fz.empty(2, 2, dtype=fz.int64)
    result = fz.sort(x, dim=1, out=(values, indices))
    assert result.values is values
    assert result.indices is indices
    assert values.tolist() == [[1.0, 3.0], [2.0, 5.0]]
    assert indices.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda x: fz.exp(x, input=x), "exp: 'input' is given twice"),
        (lambda x: fz.exp(), r"exp: missing tensor 'input'; its signature is exp\(input\)"),
        (lambda x: fz.mul(other=x), "mul: missing tensor 'input'"),
        (lambda x: fz.sum(x, 0, dim=0), "sum: 'dim' is given twice"),
        (lambda x: fz.sum(x, dim=0, axis=0), "sum: 'dim' is given twice"),
        (lambda x: fz.flip(x, dimms=0), "flip: unknown argument 'dimms'; did you mean 'dims'"),
        (lambda x: fz.softmax(x, dim=0, axis=0), "softmax: 'dim' is given twice"),
        (lambda x: fz.reshape(x, (1,), out=x), "reshape: unknown argument 'out'"),
    ],
)
def test_what_is_said_of_a_wrong_name(call, said):
    with pytest.raises(TypeError, match=said):
        call(fz.ones(2))


def test_arrays_by_name():
    assert_close(fz.matmul(input=np.ones((2, 2)), other=fz.ones(2, 2, dtype=fz.float64)), np.full((2, 2), 2.0))


def test_what_is_no_tensor_is_told():
    """Every function of tensors says so, instead of asking what was given for an attribute that only tensors have."""
    load_all()
    wrong = []
    for name, function in {**FUNCTIONS, **{name: getattr(fz, name) for name in IN_PLACE}}.items():
        parameters = list(inspect.signature(function).parameters.values())
        needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if not needed or str(needed[0].annotation) != "Tensor":
            continue
        rest = [fz.ones(2, 2) if "Tensor" in str(p.annotation) else 1 for p in needed[1:]]
        for given in (None, 3.0, [1.0, 2.0], "a", np.ones((2, 2))):
            try:
                function(given, *rest)
            except (fz.errors.FrazilError, TypeError, ValueError, NotImplementedError):
                pass
            except Exception as error:
                wrong.append(f"{name}({given!r}): {type(error).__name__}: {error}")
    assert not wrong


def test_results_with_names_are_pickled() -> None:
    x = fz.randn(3, 3)
    for found in (
        x.max(0),
        x.sort(),
        x.topk(1),
        x.mode(),
        x.median(0),
        x.cummax(0),
        fz.slogdet(x),
        fz.qr(x),
        fz.linalg.svd(x),
        x.aminmax(),
    ):
        again = pickle.loads(pickle.dumps(found))
        assert type(again) is type(found) and repr(again) == repr(found)
        assert all(map(fz.equal, again, found))
