"""Sparse tensors against the dense ones that they stand for, and what refuses them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import frazil as fz
from frazil.errors import FrazilError
from frazil.table import METHODS, OPS
from frazil.testing import assert_close

INDICES, VALUES = [[0, 1, 1, 0], [2, 0, 2, 2]], [3.0, 4.0, 5.0, 6.0]  # one place is there twice
DENSE = np.array([[0, 0, 9], [4, 0, 5]], "float32")


def given(**options: Any) -> Any:
    return fz.sparse_coo_tensor(INDICES, VALUES, (2, 3), **options)


FORMS = {
    "coo": given,
    "coalesced": lambda: given().coalesce(),
    "csr": lambda: given().to_sparse_csr(),
    "to_sparse": lambda: fz.tensor(DENSE).to_sparse(),
    "made csr": lambda: fz.sparse_csr_tensor([0, 1, 3], [2, 0, 2], [9.0, 4.0, 5.0], (2, 3)),
    "moved": lambda: given().to("cpu", fz.float64).float(),
}


@pytest.mark.parametrize("form", FORMS)
def test_results_are_those_of_the_dense_tensor(form):
    a, dense, x = FORMS[form](), fz.tensor(DENSE), fz.arange(6.0).reshape(3, 2)
    assert isinstance(a, fz.Tensor) and a.layout != fz.strided and a.shape == (2, 3)
    pairs = {
        "to_dense": (a.to_dense(), dense),
        "a @ x": (a @ x, dense @ x),
        "mm": (fz.mm(a, x), dense @ x),
        "sparse.mm": (fz.sparse.mm(a, x), dense @ x),
        "spmm": (fz.spmm(a, x), dense @ x),
        "x @ a": (x @ a, x @ dense),
        "vector": (a @ x[:, 0], dense @ x[:, 0]),
        "mv": (a.mv(x[:, 0]), dense @ x[:, 0]),
        "vector before": (x[0] @ a, x[0] @ dense),
        "addmm": (fz.addmm(fz.ones(2, 2), a, x, beta=2, alpha=3), 2 + 3 * (dense @ x)),
        "sparse.addmm": (fz.sparse.addmm(fz.ones(2, 2), a, x), 1 + dense @ x),
        "a @ a.t()": ((a @ a.t()).to_dense(), dense @ dense.t()),
        "numbers": ((2 * a / 4).to_dense(), dense / 2),
        "neg": ((-a).to_dense(), -dense),
        "a + a": ((a + a).to_dense(), 2 * dense),
        "a - a": ((a - a).to_dense(), 0 * dense),
        "dense + a": (fz.ones(2, 3) + a, 1 + dense),
        "dense - a": (fz.ones(2, 3) - a, 1 - dense),
        "a * dense": ((a * fz.tensor([[2.0], [3.0]])).to_dense(), dense * fz.tensor([[2.0], [3.0]])),
        "transpose": (a.transpose(0, 1).to_dense(), dense.t()),
    }
    for name, (found, expected) in pairs.items():
        assert_close(found, expected, msg=name)


def test_sums_and_softmax():
    a, dense = given(), fz.tensor(DENSE)
    assert_close(fz.sparse.sum(a), dense.sum())
    assert_close(a.sum((0, 1)), dense.sum())
    for dim in (0, 1):
        assert_close(fz.sparse.sum(a, dim).to_dense(), dense.sum(dim))
        kept = fz.where(dense == 0, -float("inf"), dense)
        assert_close(fz.sparse.softmax(a, dim).to_dense(), fz.softmax(kept, dim).nan_to_num(0.0))
        assert_close(fz.sparse.log_softmax(a, dim).to_dense().exp() * (dense != 0), fz.softmax(kept, dim).nan_to_num(0.0))


def test_dense_dimensions():
    x = fz.tensor([[0.0, 0], [1, 0], [2, 3]])
    rows = x.to_sparse(1)
    assert (rows.sparse_dim(), rows.dense_dim(), rows._nnz()) == (1, 1, 2)
    again = fz.sparse_coo_tensor([[1, 2, 1]], [[1.0, 0], [2, 3], [5, 5]], (3, 2))
    assert_close(rows.to_dense(), x)
    assert_close(again.coalesce().to_dense(), x + fz.tensor([[0.0, 0], [5, 5], [0, 0]]))
    assert_close(fz.sparse.sum(rows, 1).to_dense(), x.sum(1))
    assert_close((rows + again).to_dense(), x + again.to_dense())
    assert_close((rows * x).to_dense(), x * x)


def test_gradients_flow_to_values_and_to_the_dense_operand():
    values, x = fz.tensor(VALUES, requires_grad=True), fz.arange(6.0).reshape(3, 2).requires_grad_()
    a = fz.sparse_coo_tensor(INDICES, values, (2, 3))
    assert a.requires_grad and not a.is_leaf and a.grad_fn is not None and a.grad is None
    ((a @ x) ** 2).sum().backward()
    dense, y = fz.tensor(DENSE, requires_grad=True), x.detach().requires_grad_()
    ((dense @ y) ** 2).sum().backward()
    assert_close(x.grad, y.grad)
    assert_close(values.grad, dense.grad[fz.tensor(INDICES[0]), fz.tensor(INDICES[1])])
    assert fz.autograd.gradcheck(
        lambda v: (
            (fz.sparse.softmax(fz.sparse_coo_tensor(INDICES, v, (2, 3)), 1) @ fz.ones(3, 1, dtype=fz.float64)).exp()
            + fz.sparse_coo_tensor(INDICES, v, (2, 3)).to_sparse_csr() @ fz.ones(3, 1, dtype=fz.float64)
        ),
        (fz.tensor(VALUES, dtype=fz.float64, requires_grad=True),),
    )


def test_a_leaf_has_a_sparse_gradient():
    values = fz.tensor(VALUES)
    a = fz.sparse_coo_tensor(INDICES, values, (2, 3), requires_grad=True)
    assert a.is_leaf and not values.requires_grad and not a.detach().requires_grad
    (a @ fz.ones(3, 1)).sum().backward()
    assert a.grad.is_sparse and a.grad.values().tolist() == [1.0] * 3
    with pytest.raises(FrazilError, match="not defined for sparse tensors"):
        fz.optim.SGD([a], 0.1).step()
    a.grad = None
    assert a.grad is None


def test_entries_and_their_order():
    a = given()
    with pytest.raises(FrazilError, match=r"use x.coalesce\(\).indices\(\)"):
        a.indices()
    c = a.coalesce()
    assert c.is_coalesced() and not a.is_coalesced() and c.coalesce() is c
    assert c.indices().tolist() == [[0, 1, 1], [2, 0, 2]] and c.values().tolist() == [9.0, 4.0, 5.0]
    csr = a.to_sparse_csr()
    assert csr.crow_indices().tolist() == [0, 1, 3] and csr.col_indices().tolist() == [2, 0, 2]
    assert csr.is_sparse_csr and not csr.is_sparse and csr.to_sparse().is_sparse and csr.layout == fz.sparse_csr
    assert fz.sparse_coo_tensor([[0, 2]], [1.0, 2.0]).shape == (3,) and fz.sparse_coo_tensor(size=(2, 3))._nnz() == 0
    assert not fz.sparse_coo_tensor(size=(2, 3)).to_dense().any() and (
        fz.sparse_coo_tensor(size=(2, 3)) @ fz.ones(3, 1)
    ).shape == (2, 1)
    for copied in (copy.deepcopy(a), pickle.loads(pickle.dumps(a)), a.clone()):
        assert copied._values() is not a._values() and copied.to_dense().tolist() == DENSE.tolist()


def test_it_prints_as_pytorchs():
    assert repr(given(dtype=fz.float64, requires_grad=True)) == (
        "tensor(indices=tensor([[0, 1, 1, 0],\n"
        "                       [2, 0, 2, 2]]),\n"
        "       values=tensor([3., 4., 5., 6.]),\n"
        "       size=(2, 3), nnz=4, dtype=frazil.float64, layout=frazil.sparse_coo,\n"
        "       requires_grad=True)"
    )
    assert repr(given().to_sparse_csr()) == (
        "tensor(crow_indices=tensor([0, 1, 3]),\n"
        "       col_indices=tensor([2, 0, 2]),\n"
        "       values=tensor([9., 4., 5.]), size=(2, 3), nnz=3,\n"
        "       layout=frazil.sparse_csr)"
    )


#: Methods of the table that answer: what `fz.sparse` defines, and conversions.
ANSWER = set(
    "add subtract sub mul multiply div divide true_divide matmul mm mv addmm sum neg t transpose clone half float double int "
    "long short bool cfloat cdouble __add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __matmul__ __rmatmul__ "
    "__neg__ negative positive pow __pow__ floor_divide __floordiv__ norm any deg2rad rad2deg conj is_same_size bmm swapaxes "
    "swapdims permute adjoint movedim moveaxis unsqueeze squeeze flatten unflatten reshape view select unbind narrow "
    "nan_to_num narrow_copy split chunk __getitem__ __iter__ new_zeros new_empty new_tensor copy_ zero_ resize_as_ "
    "__iadd__ __isub__ __imul__ __itruediv__".split()
)
ANSWER |= {
    f"{name}_" for name in "nan_to_num add sub subtract mul multiply div divide true_divide floor_divide neg negative pow".split()
}
#: What `fz.sparse` defines of ops.
DEFINED = set("matmul add sub mul div floor_divide power linear vector_norm any select slice index permute reshape".split())


def test_every_other_method_refuses_by_its_name():
    a, wrong = given(), []
    for name in sorted(METHODS.keys() - ANSWER):
        for args in ((), (1,), (fz.ones(2, 3),), (0, fz.tensor([0, 1]))):
            try:
                found: Any = getattr(a, name)(*args)
            except (FrazilError, TypeError) as error:  # TypeError: of Python, for a missing argument
                found = error
            if not isinstance(found, TypeError) and "sparse" not in str(found):
                wrong.append((name, args, found))
    assert not wrong


def test_every_other_op_refuses_by_its_name():
    """With the sparse tensor in the place of each operand in turn."""
    a, wrong, attributes = given(), [], {"dtype": fz.float64, "dims": (1, 0), "shape": (2, 3)}
    for op in OPS.values():
        if op.name in DEFINED or not op.tensors:
            continue
        for place in range(max(len(op.tensors), 2 if op.packed else 1)):
            tensors: list[Any] = [fz.ones(2, 3) for _ in range(max(len(op.tensors) - op.optional, place + 1))]
            tensors[place] = a
            try:
                found: Any = op.call(*tensors, **{name: attributes.get(name, 0) for name in op.required})
            except Exception as error:
                found = error
            if "sparse" not in str(found):
                wrong.append((op.name, place, found))
    assert not wrong


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: fz.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,)), "indices of dimension 0 are from 0 to 5, but its size is 3"),
        (lambda: fz.sparse_coo_tensor([[0, -1]], [1.0, 2.0], (3,)), "from -1 to 0"),
        (lambda: fz.sparse_coo_tensor([[0, 1]], [1.0], (3,)), "indices are .sparse dimensions, entries"),
        (lambda: fz.sparse_coo_tensor([[0.5]], [1.0], (3,)), "indices are integers"),
        (lambda: fz.sparse_coo_tensor([[0]], [1.0], (3, 3)), "does not fit"),
        (lambda: fz.sparse_csr_tensor([0, 2, 1], [0], [1.0]), "crow_indices begin with 0"),
        (lambda: given() @ fz.ones(4, 1), "cannot be multiplied"),
        (lambda: given() @ fz.ones(3, 1).double(), "float32 and float64"),
        (lambda: given() + 1, "use x.to_dense"),
        (lambda: given() * fz.ones(3, 2).to_sparse(), "the shapes of sparse tensors are the same"),
        (lambda: given() / fz.ones(2, 3), "by a number only"),
        (lambda: fz.ones(2).values(), "this one is dense"),
        (lambda: fz.ones_like(given()), "full_like: not defined for sparse"),
        (lambda: given() ** -1.5, "powers of positive numbers only"),
        (lambda: given() // 0, "other than 0"),
        (lambda: given().norm(dim=0), "norm along a dimension"),
        (lambda: given()[5], "index 5 is out of range"),
        (lambda: given()[fz.tensor([[0]])], "indexing by several tensors"),
        (lambda: given().clone().sparse_resize_((1, 3), 2, 0), "cannot become"),
        (lambda: given().clone().requires_grad_().mul_(2), "a leaf that requires grad"),
        (lambda: given().int().mul_(0.5), "cannot hold"),
        (lambda: fz.bmm(given(), fz.ones(2, 3, 1)), "expected"),
        (lambda: fz.rand_like(given()), "rand_like: not defined for sparse"),
        (lambda: fz.bernoulli(given()), "not defined for sparse"),
        (lambda: fz.zeros(2, layout=fz.sparse_coo), "makes dense tensors"),
        (lambda: fz.nn.Parameter(given()), "Parameter: not defined for sparse"),
        (lambda: fz.nn.Linear(3, 2)(given()), "a sparse weight multiplies dense rows"),
        (lambda: np.asarray(given()), "not defined for sparse"),
        (lambda: bool(given()), "not defined for sparse"),
        (lambda: fz.jit.trace(lambda x: x @ fz.ones(3, 1), given()), "the input .* is a sparse tensor"),
        (lambda: fz.jit.trace(lambda x: given() * x, fz.ones(())), "is a sparse tensor"),
    ],
)  # fmt: skip
def test_what_is_said(call, said):
    with pytest.raises(FrazilError, match=said):
        call()


def test_recorded_with_a_free_number_of_entries():
    def propagate(i: Any, v: Any, x: Any) -> Any:
        a, sorted_ = fz.sparse_coo_tensor(i, v, (2, 3)), fz.sparse_coo_tensor(i, v, (2, 3), is_coalesced=True)
        return (2 * a + a).to_dense() @ x + fz.sparse.softmax(sorted_, 1) @ x + sorted_.to_sparse_csr() @ x

    i, v, x = fz.tensor([[0, 1, 1], [2, 0, 2]]), fz.tensor([9.0, 4.0, 5.0]), fz.arange(6.0).reshape(3, 2)
    program = fz.jit.trace(propagate, (i, v, x), dynamic_shapes={"i": {1: "e"}, "v": {0: "e"}})
    for n in (3, 2, 1):
        assert_close(program(i[:, :n], v[:n], x), propagate(i[:, :n], v[:n], x))
    with pytest.raises(fz.errors.RecordError, match="coalesce: how many places .*is_coalesced=True"):
        fz.jit.trace(lambda i, v: fz.sparse_coo_tensor(i, v, (2, 3)).coalesce().to_dense(), (i, v))
    assert_close(fz.vmap(lambda y: given() @ y)(x.expand(2, 3, 2)), (given() @ x).expand(2, 2, 2))


def test_sampled_addmm_computes_only_the_entries():
    pattern = fz.tensor([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    a, b = fz.rand(2, 4, requires_grad=True), fz.rand(4, 3, requires_grad=True)
    y = fz.sparse.sampled_addmm(pattern.to_sparse_csr(), a, b, alpha=2.0, beta=0.5).to_dense()
    expected = (2.0 * (a @ b) + 0.5 * pattern) * (pattern != 0)
    assert fz.allclose(y, expected)
    found, wanted = (fz.autograd.grad((t * t).sum(), (a, b)) for t in (y, expected))
    assert all(fz.allclose(g, h) for g, h in zip(found, wanted, strict=True))
    with pytest.raises(RuntimeError, match=r"use x.to_sparse_csr\(\)"):
        fz.sparse.sampled_addmm(pattern.to_sparse(), a, b)
    with pytest.raises(RuntimeError, match=r"\[2, 4\] times \[4, 3\] does not fit entries of \[1, 3\]"):
        fz.sparse.sampled_addmm(pattern[:1].to_sparse_csr(), a, b)


#: What is made of a matrix `s` of [3, 4] or a batch `b` of [2, 3, 4], sparse or dense.
PARTS = """
s[1]; s[0, 1]; s[:, 1]; s[None]; s[..., 2]; s[1:]; s[:, ::2]; s[-1, 1:3]; s.select(1, 2); s.unbind(1)[2]; list(s)[0];
b[1]; b[0, 2]; b[:, 1, 1:]; s.permute(1, 0); s.t(); s.mT; b.permute(2, 0, 1); s.transpose(0, 1); s.unsqueeze(0);
s.unsqueeze(-1); s.reshape(2, 6); s.flatten(); b.flatten(1); fz.stack([s, s]); fz.stack([s, s * 2], 1);
s.narrow(1, 1, 2); s.narrow_copy(0, 1, 1); s.split(2, 1)[1]; s**3; s.pow(2); fz.pow(s, 2.0); s.norm(); s.norm(1);
fz.norm(b); s.sum(); s.sum(1, keepdim=True); s.sum(keepdim=True); fz.bmm(b, fz.ones(2, 4, 3));
b @ fz.arange(24.0).reshape(2, 4, 3); F.linear(fz.arange(8.0).reshape(2, 4), s); -s; s.positive(); s.nan_to_num();
s.deg2rad(); s[fz.tensor([2, 0, 2])]; s[:, fz.tensor([-1, 1])]; s[fz.tensor([True, False, True])]; b[0, [1, 2]]
"""


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("line", [part.strip() for part in PARTS.replace("\n", " ").split(";")])
def test_parts_and_shapes_are_those_of_the_dense_tensor(line: str, hybrid: bool) -> None:
    found = []
    for is_sparse in (True, False):
        x = fz.tensor(np.random.default_rng(1).standard_normal((2, 3, 4)), dtype=fz.float32).requires_grad_()
        b = x.relu()
        s = b[0]
        if is_sparse:
            b, s = b.to_sparse(2 if hybrid else None), s.to_sparse(1 if hybrid else None)
        try:
            result = eval(line, {"fz": fz, "F": fz.nn.functional, "s": s, "b": b})
        except FrazilError as error:
            assert (
                is_sparse
                and hybrid
                and any(word in str(error) for word in ("without indices", "has no indices", "expected", "sparse"))
            )
            return
        dense = result.to_dense()
        (slope,) = fz.autograd.grad((dense * dense).sum(), x)
        found.append((dense.detach().numpy(), slope.numpy()))
    for a, e in zip(*found, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


def test_changes_in_place() -> None:
    s = given().coalesce()
    before = s.to_dense()
    s += s
    s *= 3
    s.sub_(given())
    s /= 2
    np.testing.assert_allclose(s.to_dense().numpy(), 2.5 * before.numpy())
    assert s.neg_() is s and s.abs_().copy_(given()).to_dense().tolist() == before.tolist()
    assert (s.sparse_resize_((4, 5), 2, 0).shape, s._nnz() > 0, s.zero_()._nnz()) == ((4, 5), True, 0)
    assert s.sparse_resize_and_clear_((2, 2), 1, 1).to_dense().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert (given().stride(), given().is_contiguous(), given().any().item()) == ((0, 0), False, True)
    assert fz.tensor([[0.0, 3.0]]).to_sparse()[:, 1].item() == 3.0
    like = fz.zeros_like(given())
    assert like.is_sparse and like.shape == before.shape and not like.to_dense().any()


def test_kernels_of_sparse_tensors_are_there_where_their_operations_are_defined() -> None:
    kernels = fz.eye(2).to_sparse()._dev.kernels
    for name in OPS:
        if name in kernels:
            assert kernels[name] is None
        else:
            with pytest.raises(FrazilError, match=name):
                kernels[name]
    assert "mul" in kernels and "sort" not in kernels and "strides" not in kernels
