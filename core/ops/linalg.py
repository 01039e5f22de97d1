"""Products of matrices and vectors."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from .. import dtypes
from ..creation import eye, tensor
from ..define import function, op, primitive
from ..errors import ArgumentError, ShapeError
from ..sizes import checked_dim, stretches
from ..state import STATE
from ..table import E, S, Spec, ints
from ..tensor import Tensor, whole
from .common import broadcast, is_number, numel, require_float, require_numbers, require_one_dtype, same, specs
from .complex_numbers import conj
from .elementwise import add, cast, clone, gt, isfinite, mul, sqrt, where
from .reduction import sort_values, sum_, vector_norm
from .shape import cat, diagonal, expand, narrow, permute, reshape, stack, unbind, unsqueeze

#: A function, the numbers of its tensors among operands and earlier results, and its attributes.
_Step = tuple[Callable[..., Tensor], tuple[int, ...], dict[str, Any]]


def _transposed(x: Tensor) -> Tensor:
    n = len(x._a.shape)
    return permute(x, dims=(*range(n - 2), n - 1, n - 2))


def _matmul_vjp_a(g: Tensor, a_shape: Any, b: Tensor) -> Tensor:
    na, nb = len(a_shape), len(b._a.shape)
    if na == 1 and nb == 1:
        return g * b
    if nb == 1:
        return unsqueeze(g, -1) * b  # outer product; batch dimensions of a are in g
    if na == 1:
        return matmul(b, unsqueeze(g, -1)).squeeze(-1)
    return matmul(g, _transposed(b))


def _matmul_vjp_b(g: Tensor, a: Tensor, b_shape: Any) -> Tensor:
    na, nb = len(a._a.shape), len(b_shape)
    if na == 1 and nb == 1:
        return g * a
    if na == 1:
        return mul(unsqueeze(a, -1), unsqueeze(g, -2))
    if nb == 1:
        rows = numel(g._a.shape)
        return matmul(reshape(g, shape=(rows,)), reshape(a, shape=(rows, a._a.shape[-1])))
    if nb == 2 and na > 2:  # one weight for a whole batch: one product instead of a batch of them
        rows = numel(a._a.shape[:-1])
        return matmul(_transposed(reshape(a, shape=(rows, a._a.shape[-1]))), reshape(g, shape=(rows, g._a.shape[-1])))
    return matmul(_transposed(a), g)


@primitive(
    takes="numbers",
    vjp=(_matmul_vjp_a, _matmul_vjp_b),
    promote="same",
    samples=lambda: [
        S((3, 4), (4, 5)),
        S((2, 3, 4), (4, 5)),
        S((2, 1, 3, 4), (5, 4, 2)),
        S((4,), (4,)),
        S((3, 4), (4,)),
        S((4,), (4, 5)),
        S((2, 3, 4), (4,)),
        S((4,), (2, 4, 5)),
        S((0, 4), (4, 5)),
        S((3, 0), (0, 2)),
        S(ints(3, 4), ints(4, 2), grad=False),
    ],
    errors=lambda: [
        E(
            S((4, 3), (2, 5)),
            r"matmul: inner dimensions differ: a is float\d+\[4, 3\], b is float\d+\[2, 5\]; a.shape\[-1\]=3, b.shape\[-2\]=2",
        ),
        E(S((3, 4), (3,)), "matmul: inner dimensions differ"),
        E(S((), (3,)), "matmul: .*at least 1"),
        E(S((2, 3, 4), (3, 4, 5)), "matmul: .*batch"),
    ],
    methods=["__matmul__", "matmul"],
)
def matmul(a, b, /):
    """Matrix product. Vectors are rows (left) or columns (right); leading dimensions are batches and broadcast.

    >>> import frazil as fz
    >>> fz.tensor([[1.0, 2.0]]) @ fz.tensor([[3.0], [4.0]])
    tensor([[11.]])
    """
    if not a.shape or not b.shape:
        raise ShapeError(f"matmul: both operands need at least 1 dimension, given {a} and {b}; use * for numbers")
    k, m = a.shape[-1], b.shape[-2] if len(b.shape) > 1 else b.shape[-1]
    if not same(k, m) and k != m:
        name = "b.shape[-2]" if len(b.shape) > 1 else "b.shape[-1]"
        raise ShapeError(f"matmul: inner dimensions differ: a is {a}, b is {b}; a.shape[-1]={k}, {name}={m}")
    try:
        batch = broadcast("matmul", a.shape[:-2], b.shape[:-2])
    except ShapeError:
        raise ShapeError(f"matmul: batch dimensions do not broadcast: a is {a}, b is {b}") from None
    rows = a.shape[-2:-1]
    columns = b.shape[-1:] if len(b.shape) > 1 else ()
    return Spec((*batch, *rows, *columns), a.dtype)


@function(methods=["__rmatmul__"], public=False)
def rmatmul(b: Tensor, a: Any) -> Tensor:
    """`a @ b`."""
    return matmul(a, b)


@op(samples=lambda: [S((3, 5), (3, 4)), S((2, 3, 5), (2, 3, 4)), S((5,), (4,))], promote="same", methods=[], public=False)
def linear_weight_grad(g, x, /):
    """g.T @ x with all leading dimensions as rows."""
    rows = numel(g._a.shape[:-1])
    return matmul(_transposed(reshape(g, shape=(rows, g._a.shape[-1]))), reshape(x, shape=(rows, x._a.shape[-1])))


@op(samples=lambda: [S(3, 4), S(2, 3, 4), S(4)], methods=[], public=False)
def sum_to_last(x, /):
    """The sum over all dimensions but the last."""
    return sum_(x, dim=tuple(range(len(x._a.shape) - 1))) if len(x._a.shape) > 1 else clone(x)


@op(
    takes="numbers",
    vjp=(
        lambda g, weight: matmul(g, weight),
        lambda g, x: linear_weight_grad(g, x),
        lambda g: sum_to_last(g),
    ),
    promote="same",
    samples=lambda: [
        S((3, 4), (5, 4), (5,)),
        S((3, 4), (5, 4)),
        S((2, 3, 4), (5, 4), (5,)),
        S((4,), (5, 4), (5,)),
        S((0, 4), (5, 4), (5,)),
    ],
    errors=lambda: [E(S((3, 4), (5, 3), (5,)), "linear: x has 4 features, weight expects 3")],
    methods=[],
    public=False,
)
def linear(x, weight, bias=None, /):
    """x @ weight.T + bias, with weight [out, in]."""
    if (
        not x._a.shape
        or len(weight._a.shape) != 2
        or (not same(x._a.shape[-1], weight._a.shape[1]) and x._a.shape[-1] != weight._a.shape[1])
    ):
        raise ShapeError(
            f"linear: x has {x._a.shape[-1] if x._a.shape else 'no'} features, weight expects {weight._a.shape[-1]}: "
            f"x is {list(x._a.shape)}, weight [out, in] is {list(weight._a.shape)}"
        )
    if bias is not None and not same(bias._a.shape, weight._a.shape[:1]) and bias._a.shape[-1] not in (weight._a.shape[0], 1):
        raise ShapeError(f"linear: bias is {list(bias._a.shape)}, weight [out, in] is {list(weight._a.shape)}")
    y = matmul(x, _transposed(weight))
    return y if bias is None else y + bias


@function(out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices.

    >>> import frazil as fz
    >>> fz.mm(fz.ones(2, 3), fz.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    _need("mm", 2, input, mat2)
    return matmul(input, mat2)


@function(out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of two batches of matrices.

    >>> import frazil as fz
    >>> fz.bmm(fz.ones(2, 3, 4), fz.ones(2, 4, 5)).shape
    frazil.Size([2, 3, 5])
    """
    _need("bmm", 3, input, mat2)
    return matmul(input, mat2)


@function(out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector.

    >>> import frazil as fz
    >>> fz.mv(fz.ones(2, 3), fz.ones(3))
    tensor([3., 3.])
    """
    _need("mv", 2, input)
    _need("mv", 1, vec)
    return matmul(input, vec)


@function(out=True)
def dot(input: Tensor, other: Tensor) -> Tensor:
    """Product of two vectors.

    >>> import frazil as fz
    >>> fz.dot(fz.tensor([1.0, 2.0]), fz.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _need("dot", 1, input, other)
    return matmul(input, other)


def _need(name: str, n: int, *tensors: Tensor) -> None:
    for x in tensors:
        if len(x._a.shape) != n:
            raise ShapeError(
                f"{name}: expected {n}-d tensors, given {', '.join(str(list(t._a.shape)) for t in tensors)}; matmul takes any"
            )


@function(methods=["outer"], out=True)
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors.

    >>> import frazil as fz
    >>> fz.outer(fz.tensor([1, 2]), fz.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _need("outer", 1, input, vec2)
    return mul(unsqueeze(input, 1), unsqueeze(vec2, 0))


@function(out=True, inplace=True)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2).

    >>> import frazil as fz
    >>> fz.addmm(fz.ones(1), fz.ones(2, 3), fz.ones(3, 1))
    tensor([[4.],
            [4.]])
    """
    return _scaled_sum(input, matmul(mat1, mat2), beta, alpha)


@function(out=True, inplace=True)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2)."""
    return _scaled_sum(
        input, _times(matmul(batch1, batch2), alpha), beta, 1
    )  # reads its factors where alpha is 0, as PyTorch does


@function(out=True, inplace=True)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""
    return _scaled_sum(input, matmul(mat, vec), beta, alpha)


def _scaled_sum(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    require_one_dtype("the sum of a tensor and a product", input, product)
    product = product if is_number(alpha, 1) else _scaled(product, alpha)
    total = add(input if is_number(beta, 1) else _scaled(input, beta), product)
    return total if input.dtype is not dtypes.bool_ else cast(total, dtype=dtypes.bool_)


def _times(x: Tensor, factor: Any) -> Tensor:
    return x * (int(factor) if x.dtype.kind in "bi" and isinstance(factor, float) else factor)


def _scaled(x: Tensor, factor: Any) -> Tensor:
    """x * factor, where 0 means that x is not read: 0 * NaN would be NaN."""
    if x.dtype.kind in "bi" and isinstance(factor, float):
        factor = int(factor)  # integers are scaled by whole numbers, as in PyTorch
    if not is_number(factor, 0):
        return x * factor
    return where(tensor(True, device=x.device), 0, x)


@function(out=True)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: of matrices, or of tensors of any number of dimensions.

    >>> import frazil as fz
    >>> fz.kron(fz.eye(2), fz.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])
    """
    first, second = tuple(input._a.shape), tuple(other._a.shape)
    n = max(len(first), len(second))
    first, second = (1,) * (n - len(first)) + first, (1,) * (n - len(second)) + second
    a = reshape(input, shape=tuple(m for size in first for m in (size, 1)))
    b = reshape(other, shape=tuple(m for size in second for m in (1, size)))
    return reshape(mul(a, b), shape=tuple(m * k for m, k in zip(first, second, strict=True)))


@function(methods=[], out=True)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sum of products over several dimensions: the last `dims` of a with the first of b, or lists of both.

    >>> import frazil as fz
    >>> fz.tensordot(fz.ones(2, 3), fz.ones(3, 4), 1).shape
    frazil.Size([2, 4])
    """
    na, nb = len(a._a.shape), len(b._a.shape)
    if isinstance(dims, (int, float)):
        dims = whole(dims)
        if not 0 <= dims <= min(na, nb):
            raise ShapeError(f"tensordot: dims={dims} of tensors with {na} and {nb} dimensions")
        da, db = list(range(na - dims, na)), list(range(dims))
    else:
        da = [checked_dim("tensordot", d, na) for d in dims[0]]
        db = [checked_dim("tensordot", d, nb) for d in dims[1]]
    for i, j in zip(da, db, strict=True):  # a size of 1 stands for any
        if stretches(a._a.shape[i], b._a.shape[j]):
            b = sum_(b, dim=j, keepdim=True, dtype=b.dtype)
        elif stretches(b._a.shape[j], a._a.shape[i]):
            a = sum_(a, dim=i, keepdim=True, dtype=a.dtype)
    free_a, free_b = [i for i in range(na) if i not in da], [i for i in range(nb) if i not in db]
    inner = numel([a._a.shape[d] for d in da])
    left = reshape(permute(a, dims=tuple(free_a + da)), shape=(numel([a._a.shape[d] for d in free_a]), inner))
    right = reshape(permute(b, dims=tuple(db + free_b)), shape=(inner, numel([b._a.shape[d] for d in free_b])))
    return reshape(matmul(left, right), shape=tuple([a._a.shape[d] for d in free_a] + [b._a.shape[d] for d in free_b]))


@function(methods=[])
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation: letters are dimensions, those missing behind "->" are summed; "..." are batches.

    Instead of an equation, every operand may be followed by a list of numbers (0 to 51, or `...`) that name its dimensions, with
    one more list for the result. Operands are combined from left to right, each pair by one matrix product.

    >>> import frazil as fz
    >>> fz.einsum("ij,jk->ik", fz.ones(2, 3), fz.ones(3, 4)).shape
    frazil.Size([2, 4])
    >>> fz.einsum(fz.ones(2, 3), [0, 1], fz.ones(3, 4), [1, 2], [0, 2]).shape
    frazil.Size([2, 4])
    """
    if isinstance(equation, Tensor):
        equation, operands = _equation_of_lists((equation, *operands))
    elif not isinstance(equation, str):
        raise ArgumentError(f"einsum: expected an equation such as 'ij,jk->ik', given {type(equation).__name__}")
    tensors = list(operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands)
    shapes = tuple([tuple(x._a.shape) for x in tensors])
    if any(x._dev.recording for x in tensors) or not all(type(n) is int for shape in shapes for n in shape):
        return _planned(equation, _Steps(tensors))  # sizes may be open: the next call is another one
    kept = _kept_steps(equation, shapes)
    if kept:
        return _again(kept, tensors)
    steps = _Steps(tensors)
    result = _planned(equation, steps)
    kept[:] = steps.done
    return result


class _Steps:
    """Calls operations on operands and earlier results, which have numbers, and keeps the calls: for tensors of the same shapes
    they are made again, without being found again."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = [*tensors]
        self.done: list[_Step] = []

    def do(self, fn: Callable[..., Tensor], *places: int, **attrs: Any) -> int:
        """The number of the result."""
        self.done.append((fn, places, attrs))
        self.tensors.append(fn(*[self.tensors[i] for i in places], **attrs))
        return len(self.tensors) - 1

    def shape(self, place: int) -> tuple[Any, ...]:
        """The shape of an operand or result."""
        return self.tensors[place]._a.shape


@functools.lru_cache(maxsize=512)
def _kept_steps(equation: str, shapes: tuple[tuple[int, ...], ...]) -> list[_Step]:
    """The steps of an equation for tensors of these shapes; none before its first call."""
    return []


def _again(steps: Sequence[_Step], tensors: Sequence[Tensor]) -> Tensor:
    """The last result of the steps, from tensors of the shapes that they were found for."""
    found = [*tensors]
    for fn, places, attrs in steps:
        found.append(fn(*[found[i] for i in places], **attrs))
    return found[-1]


def _planned(equation: str, steps: _Steps) -> Tensor:
    """The result of the equation, by steps that depend on the shapes of the tensors alone."""
    parsed, output = _parse_equation(equation, steps.tensors)
    tensors = [*range(len(steps.tensors))]
    terms = [list(term) for term in parsed]
    for i, (x, term) in enumerate(zip(tensors, terms, strict=True)):
        tensors[i], terms[i] = _take_diagonals(steps, x, term)
    labels = [*dict.fromkeys([*output, *sorted(c for term in terms for c in term)])]
    for i, (x, term) in enumerate(zip(tensors, terms, strict=True)):
        tensors[i], terms[i] = _permuted(steps, x, term, labels)
    left = collections.Counter(c for x, term in zip(tensors, terms, strict=True) for c in _sizes(steps, x, term))
    alone = len(tensors) == 1
    while len(tensors) > 1:
        (a, b, *others), (ta, tb, *_) = tensors, terms
        product, lying = _contract(steps, a, ta, b, tb, labels, output, left, not others)
        product, lying = _permuted(steps, product, lying, labels)
        tensors[:2], terms[:2] = [product], [lying]
    x, term = tensors[0], terms[0]
    gone = tuple(i for i, c in enumerate(term) if c not in output)
    if not gone:
        return steps.tensors[x]
    if alone:
        x = steps.do(sum_, x, dim=gone)
    else:
        x = steps.do(reshape, x, shape=tuple(n for i, n in enumerate(steps.shape(x)) if i not in gone))
    return steps.tensors[x]


def _equation_of_lists(operands: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """What operands and lists in turn say, as an equation."""
    has_result = len(operands) % 2 == 1
    for labels in [*operands[1::2], *operands[-1:]] if has_result else operands[1::2]:
        if not isinstance(labels, (list, tuple)) or not all(c is ... or (isinstance(c, int) and 0 <= c < 52) for c in labels):
            given = labels if isinstance(labels, (list, tuple, str)) else f"a {type(labels).__name__}"
            raise ArgumentError(f"einsum: expected a list of numbers from 0 to 51 behind every operand, given {given}")

    def term(labels: Sequence[Any]) -> str:
        return "".join("..." if c is ... else chr(c + (65 if c < 26 else 71)) for c in labels)

    equation = ",".join(term(labels) for labels in operands[1::2])
    return (f"{equation}->{term(operands[-1])}", operands[:-1:2]) if has_result else (equation, operands[::2])


def _parse_equation(equation: str, tensors: Sequence[Tensor]) -> tuple[list[str], str]:
    """Every term as a string of letters, dots replaced by capital placeholders; the output likewise."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ArgumentError(f"einsum: {equation!r} names {len(terms)} operands, given {len(tensors)}")
    batch = 0
    for term, x in zip(terms, tensors, strict=True):
        if "..." in term:
            batch = max(batch, len(x._a.shape) - len(term.replace("...", "")))
    dots = "".join(chr(0x2460 + i) for i in range(batch))
    full = []
    for term, x in zip(terms, tensors, strict=True):
        extra = len(x._a.shape) - len(term.replace("...", ""))
        if extra < 0 or ("..." not in term and extra):
            raise ShapeError(f"einsum: term {term!r} of {equation!r} does not fit a tensor of shape {list(x._a.shape)}")
        full.append(term.replace("...", dots[batch - extra :] if extra else ""))
    if not arrow:
        letters = "".join(full)
        output = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    else:
        output = output.replace("...", dots)
    sizes: dict[str, Any] = {}
    for term, x in zip(full, tensors, strict=True):
        for c, n in zip(term, x._a.shape, strict=True):
            known = sizes.setdefault(c, n)
            if isinstance(known, int) and known == 1:
                sizes[c] = n
            elif not (isinstance(n, int) and n == 1) and not same(known, n) and known != n:
                raise ShapeError(f"einsum: {c!r} in {equation!r} stands for sizes {known} and {n}")
    for c in output:
        if c not in sizes or output.count(c) > 1:
            raise ArgumentError(f"einsum: output letter {c!r} of {equation!r} is not in the inputs, or stands twice")
    return full, output


def _take_diagonals(steps: _Steps, x: int, term: list[str]) -> tuple[int, list[str]]:
    """A letter that stands twice in one term means the diagonal."""
    for c in list(dict.fromkeys(term)):
        while term.count(c) > 1:
            a = term.index(c)
            b = term.index(c, a + 1)
            x = steps.do(diagonal, x, dim1=a, dim2=b)
            term = [d for i, d in enumerate(term) if i not in (a, b)] + [c]
    return x, term


def _permuted(steps: _Steps, x: int, term: list[str], labels: Sequence[str]) -> tuple[int, list[str]]:
    """The tensor with its dimensions in the order of all labels."""
    order = sorted(term, key=labels.index)
    return (x if order == term else steps.do(permute, x, dims=tuple(term.index(c) for c in order))), order


def _sizes(steps: _Steps, x: int, term: Sequence[str]) -> dict[str, Any]:
    """The sizes of the labels of a tensor, but for those of one element, which PyTorch takes for missing."""
    return {c: n for c, n in zip(term, steps.shape(x), strict=True) if not same(n, 1)}


def _contract(
    steps: _Steps,
    a: int,
    ta: list[str],
    b: int,
    tb: list[str],
    labels: Sequence[str],
    output: str,
    left: dict[str, int],
    last: bool,
) -> tuple[int, list[str]]:
    """One pairwise step: a product by elements, or one by matrices where labels are summed that both have. It lies in memory as
    PyTorch's, which gives all labels to all tensors; those of one element tell where the others lie. `left` counts the tensors
    that have a label."""
    sizes_a, sizes_b = _sizes(steps, a, ta), _sizes(steps, b, tb)
    alone_a, alone_b, summed = list[str](), list[str](), list[str]()
    for c in labels[len(output) :]:
        both = c in sizes_a and c in sizes_b
        left[c] -= both
        if left[c] == 1 and (c in sizes_a or c in sizes_b):
            (summed if both else alone_a if c in sizes_a else alone_b).append(c)
            left[c] = 0
    a, ta, sizes_a = _summed(steps, a, ta, sizes_a, alone_a, labels)
    b, tb, sizes_b = _summed(steps, b, tb, sizes_b, alone_b, labels)
    if not summed:
        return steps.do(mul, _of_all(steps, a, ta, labels), _of_all(steps, b, tb, labels)), [*labels]
    sizes = {**sizes_b, **sizes_a}
    batch, rows, columns, swapped = _groups(labels, summed, sizes_a, sizes_b)
    if swapped:
        a, ta, b, tb = b, tb, a, ta

    def arranged(x: int, own: list[str], *groups: list[str]) -> int:
        """The tensor with the dimensions of the batch, and one of every other group."""
        there = [c for group in groups for c in group if c in own]
        dims = tuple(own.index(c) for c in (*there, *(c for c in own if c not in there)))
        if dims != tuple(range(len(dims))):
            x = steps.do(permute, x, dims=dims)
        full = [sizes.get(c, 1) for c in there] + [1] * (len(own) - len(there))
        if any(not same(m, n) for m, n in zip(steps.shape(x), full, strict=True)):
            x = steps.do(expand, x, shape=tuple(full))
        shape = (*[sizes[c] for c in groups[0]], *[numel([sizes.get(c, 1) for c in g]) for g in groups[1:]])
        lies_so = len(shape) == len(full) and all(map(same, shape, full))
        return x if lies_so else steps.do(reshape, x, shape=shape)

    product = steps.do(matmul, arranged(a, ta, batch, rows, summed), arranged(b, tb, batch, summed, columns))
    lying = [c for c in (*batch, *rows, *summed, *columns) if not last or c in output]
    # of the same shape too: `grad_fn` is a view, as PyTorch's
    product = steps.do(reshape, product, shape=tuple(1 if c in summed else sizes.get(c, 1) for c in lying))
    lies = steps.tensors[product]
    if lies._dev.recording:

        def order(ones: Collection[str]) -> list[str] | None:
            """How the product lies where these labels have one element; None: as its factors, by elements."""
            ours, theirs = ([c for c in sizes if c not in ones] for sizes in (sizes_a, sizes_b))
            several = [c for c in summed if c not in ones]
            if not several:
                return None
            first, second, third, _ = _groups(labels, several, ours, theirs)
            return [c for c in (*first, *second, *several, *third) if c in lying]

        open_ = {c: sizes[c] for c in (*summed, *batch, *rows, *columns) if c in sizes_a}
        lies._a = lies._dev.lying_by_ones(lies._a, lying, open_, order)
    return product, lying


def _summed(
    steps: _Steps, x: int, term: list[str], sizes: dict[str, Any], gone: list[str], labels: Sequence[str]
) -> tuple[int, list[str], dict[str, Any]]:
    """The tensor summed over labels, which keep one element."""
    if not gone:
        return x, term, sizes
    y = steps.do(sum_, _of_all(steps, x, term, labels), dim=tuple(labels.index(c) for c in gone), keepdim=True)
    return y, [*labels], {c: n for c, n in sizes.items() if c not in gone}


def _of_all(steps: _Steps, x: int, term: list[str], labels: Sequence[str]) -> int:
    """The tensor with all labels."""
    missing = [c for c in labels if c not in term]
    if missing:
        x = steps.do(reshape, x, shape=(*steps.shape(x), *[1] * len(missing)))
    return _permuted(steps, x, [*term, *missing], labels)[0]


def _groups(
    labels: Sequence[str], summed: Sequence[str], ours: Collection[str], theirs: Collection[str]
) -> tuple[list[str], list[str], list[str], bool]:
    """Labels of both tensors, rows and columns of the product: labels of the first tensor alone, and all others, those of one
    element too; or the other way round where the others come first in the result, and then True."""
    batch = [c for c in labels if c in ours and c in theirs and c not in summed]
    rows = [c for c in labels if c in ours and c not in theirs]
    columns = [c for c in labels if c not in batch and c not in rows and c not in summed]
    swapped = bool(rows and columns) and labels.index(columns[-1]) < labels.index(rows[0])
    return (batch, columns, rows, True) if swapped else (batch, rows, columns, False)


@function(out=True)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Product of two vectors (the first conjugated, if complex).

    >>> import frazil as fz
    >>> fz.vdot(fz.tensor([1.0, 2.0]), fz.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return dot(conj(input), other)


@function(out=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimension of both.

    >>> import frazil as fz
    >>> fz.inner(fz.tensor([1.0, 2.0]), fz.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([11.,  2.])
    """
    if not input._a.shape or not other._a.shape:
        return mul(input, other)
    return tensordot(input, other, dims=([-1], [-1]))


@function(out=True, inplace=True)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (the sum of batch1 @ batch2 over the batch).

    >>> import frazil as fz
    >>> fz.addbmm(fz.zeros(1, 1), fz.ones(2, 1, 3), fz.ones(2, 3, 1))
    tensor([[6.]])
    """
    return _scaled_sum(input, sum_(bmm(batch1, batch2), dim=(0,), dtype=batch1.dtype), beta, alpha)


@function(out=True, inplace=True)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (the outer product of two vectors).

    >>> import frazil as fz
    >>> fz.addr(fz.zeros(1, 2), fz.tensor([2.0]), fz.tensor([3.0, 4.0]))
    tensor([[6., 8.]])
    """
    product = outer(vec1, vec2)
    dtype = dtypes.promote_types(input.dtype, product.dtype)
    return _scaled_sum(
        cast(input, dtype=dtype), cast(product if is_number(alpha, 1) else _times(product, alpha), dtype=dtype), beta, 1
    )


@function(methods=[], out=True)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices, from left to right.

    >>> import frazil as fz
    >>> fz.chain_matmul(fz.ones(2, 3), fz.ones(3, 4), fz.ones(4, 1)).shape
    frazil.Size([2, 1])
    """
    if not matrices:
        raise ArgumentError("chain_matmul: needs one matrix or more, given none")
    return functools.reduce(mm, matrices) if len(matrices) > 1 else clone(matrices[0])


def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of a square matrix (or a batch of them), n not negative."""
    require_numbers("matrix_power", input)
    n = whole(n)
    if len(input._a.shape) < 2:
        raise ShapeError(f"matrix_power: expected square matrices, given {list(input._a.shape)}")
    if not n:
        return clone(expand(eye(input._a.shape[-1], dtype=input.dtype, device=input.device), shape=tuple(input._a.shape)))
    result = None
    while n:
        if n % 2:
            result = input if result is None else matmul(result, input)
        n //= 2
        input = matmul(input, input) if n else input
    return clone(result)


@function(out=True)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along `dim`, of size 3 (default: the first dimension of that size).

    >>> import frazil as fz
    >>> fz.cross(fz.tensor([1.0, 0.0, 0.0]), fz.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    require_one_dtype("cross", input, other)
    if len(input._a.shape) != len(other._a.shape):
        raise ShapeError(f"cross: expected as many dimensions, given {list(input._a.shape)} and {list(other._a.shape)}")
    shape = broadcast("cross", tuple(input._a.shape), tuple(other._a.shape))
    if dim is None:
        dim = next((d for d, n in enumerate(shape) if n == 3), -1)
    dim = checked_dim("cross", dim, len(shape))
    if shape[dim] != 3:
        raise ShapeError(f"cross: dimension {dim} must have size 3, given {list(input._a.shape)} and {list(other._a.shape)}")
    a, b = unbind(expand(input, shape=shape), dim), unbind(expand(other, shape=shape), dim)
    return stack([a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))], dim=dim)


@function(methods=[])
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The p-norm of the difference of every row of x1 [..., n, m] and every row of x2 [..., k, m]: [..., n, k].

    >>> import frazil as fz
    >>> fz.cdist(fz.tensor([[0.0, 0.0]]), fz.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """
    if compute_mode not in _CDIST_MODES:
        raise ArgumentError(f"cdist: compute_mode is one of {', '.join(map(repr, _CDIST_MODES))}, given {compute_mode!r}")
    require_float("cdist", *specs(x1, x2))
    require_one_dtype("cdist", x1, x2)
    if len(x1._a.shape) < 2 or len(x2._a.shape) < 2:
        raise ShapeError(f"cdist: expected at least 2 dimensions, given {list(x1._a.shape)} and {list(x2._a.shape)}")
    rows, columns, features = x1._a.shape[-2], x2._a.shape[-2], x1._a.shape[-1]
    if p == 2 and compute_mode != "donot_use_mm_for_euclid_dist" and by_product(x1, x2, rows, columns):
        return euclidean(x1, x2)
    known = all(isinstance(n, int) for n in (*x1._a.shape, *x2._a.shape))
    if known and rows > 1 and x1.numel() * columns > _CDIST_ELEMENTS:  # the differences of all rows would fill the memory
        block = max(1, _CDIST_ELEMENTS * rows // (x1.numel() * max(columns, 1)))
        return cat([cdist(narrow(x1, -2, i, min(block, rows - i)), x2, p, compute_mode) for i in range(0, rows, block)], dim=-2)
    if isinstance(features, int) and isinstance(x2._a.shape[-1], int) and features != x2._a.shape[-1]:
        raise ShapeError(f"cdist: rows of {features} and of {x2._a.shape[-1]} elements have no distance")
    return vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p=p, dim=-1)


def by_product(x1: Tensor, x2: Tensor, rows: Any, columns: Any) -> bool:
    """Return whether distances are those of so many rows that differences take long, and float64 is at hand.

    A file has differences. What is not finite has, too: a product would spread it over rows that have nothing of it.
    """
    return (
        STATE.recorder is None
        and x1.dtype is dtypes.float32
        and max(rows, columns) > 25
        and min(rows, columns) > 0
        and "float64" in x1._dev.capabilities().dtypes
        and not (x1._dev.depth or x2._dev.depth or x1.is_meta)
        and bool(isfinite(x1.detach()).all() and isfinite(x2.detach()).all())
    )


def euclidean(x1: Tensor, x2: Tensor) -> Tensor:
    """Distances of float32 rows by one product in float64, |a|^2 + |b|^2 - 2 a b, around the middle of the rows.

    A pair loses digits only as far as its own rows are from there. What is within its rounding is 0, and has no gradient.
    """
    a, b = cast(x1, dtype=dtypes.float64), cast(x2, dtype=dtypes.float64)
    # the median: a row that is far away would draw the mean to where all others lose their digits
    ascending, _ = sort_values(x2.detach(), dim=-2, descending=False, stable=False)
    middle = cast(narrow(ascending, -2, x2._a.shape[-2] // 2, 1), dtype=dtypes.float64)
    a, b = a - middle, b - middle
    lengths = (a * a).sum(-1, keepdim=True), unsqueeze((b * b).sum(-1), -2)
    squares = cast(matmul(-2 * a, b.mT) + (lengths[0] + lengths[1]), dtype=x1.dtype)
    rounding = [cast(1e-14 * part.detach(), dtype=x1.dtype) for part in lengths]
    near = squares.detach() <= rounding[0] + rounding[1]
    return where(near, 0, sqrt(where(near, 1, squares)))


#: How PyTorch may compute `cdist`; here by differences, or by a product in float64, which lose no digits.
_CDIST_MODES = (None, "use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
#: The most elements that `cdist` has between its inputs and its result at a time.
_CDIST_ELEMENTS = 1 << 20


@function(layout="rows", out=True, inplace=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The slices along `dim`, those with a p-norm above `maxnorm` scaled down to it.

    >>> import frazil as fz
    >>> fz.renorm(fz.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if len(input._a.shape) < 2:
        raise ShapeError(f"renorm: expected at least 2 dimensions, given {list(input._a.shape)}")
    rest = tuple(d for d in range(len(input._a.shape)) if d != checked_dim("renorm", dim, len(input._a.shape)))
    size = vector_norm(input, p=p, dim=rest, keepdim=True)
    return where(gt(size, maxnorm), input * (maxnorm / (size + 1e-7)), input)


@function()
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    >>> import frazil as fz
    >>> fz.trace(fz.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    require_numbers("trace", input)
    if len(input._a.shape) != 2:
        raise ShapeError(f"trace: expected a matrix, given {list(input._a.shape)}; x.diagonal(dim1=-2, dim2=-1).sum(-1) for many")
    return sum_(diagonal(input))
