"""Derivatives of functions as functions: `grad`, `vjp`, `jvp`, `jacrev`, `jacfwd`, `hessian`.

A level of differentiation takes its arguments anew (`_fresh`): as leaves, or where gradients through them are asked for outside
as tensors that follow the given ones on the tape. What a function computes from others than these is a constant for the level.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..alias import detached
from ..autograd import engine
from ..creation import eye, zeros_like
from ..errors import ArgumentError, AutogradError
from ..pytree import Tree, flatten, unflatten
from ..state import STATE
from ..tape import Node, next_order
from ..tensor import Tensor, wrap
from .mapping import vmap

Argnums = int | tuple[int, ...]


def _fresh(t: Any) -> Any:
    """`t` as an argument of a level of differentiation."""
    if not isinstance(t, Tensor) or t.dtype.kind not in "fc":
        return t
    level = STATE.level
    if level is not None and t._dev.depth < level.depth:
        t = wrap(level.device(t).lift(t), level.device(t))
    if t._rg and STATE.grad:
        return t.view_as(t)
    own = wrap(t._a, t._dev) if t._dev.depth else detached(t)
    return own.requires_grad_()


def _outside(outputs: Sequence[Tensor], inputs: Sequence[Tensor], since: int) -> bool:
    """Whether the outputs depend on tensors that require grad, other than by the inputs of this level."""
    own = {t._node or t for t in inputs if isinstance(t, Tensor)}
    if any(isinstance(edge, Node) for edge in own):
        return True  # an input follows a tensor from outside
    for node in engine._reachable([y._node for y in outputs if y._node is not None]):
        if node.order < since or any(e is not None and not isinstance(e, Node) and e not in own for e in node.edges):
            return True
    return False


def _cut(value: Any) -> Any:
    """Nested tensors without their tape."""
    leaves, tree = flatten(value)
    return unflatten(tree, [_inner_cut(x) if isinstance(x, Tensor) and x._rg else x for x in leaves])


def _inner_cut(t: Tensor) -> Tensor:
    """A tensor without its tape; in a `vmap`, with what the tensor inside knows of gradients outside."""
    return wrap(t._a, t._dev) if t._dev.depth else t.detach()


def _picked(argnums: Argnums, args: tuple[Any, ...], who: str) -> list[int]:
    """The positions that `argnums` names, not negative."""
    found = [argnums] if isinstance(argnums, int) else list(argnums)
    if not found or any(not isinstance(i, int) or not -len(args) <= i < len(args) for i in found):
        raise ArgumentError(f"{who}: argnums={argnums!r} does not name arguments of the {len(args)} that were given")
    found = [i % len(args) for i in found]
    if len(set(found)) < len(found):
        raise ArgumentError(f"{who}: argnums={argnums!r} names an argument twice")
    return found


@contextmanager
def _recording(value: bool) -> Iterator[None]:
    """Record for backward or not: this level only, whatever holds for a `vmap` around it."""
    before, STATE.grad = STATE.grad, value
    try:
        yield
    finally:
        STATE.grad = before


class _Level:
    """One level of differentiation of `func` with respect to some of its arguments."""

    def __init__(self, who: str, func: Callable[..., Any], primals: Any, has_aux: bool, call: Callable[[Any], Any]) -> None:
        self.recorded = STATE.grad
        self.since = next_order()
        leaves, self.tree = flatten(primals)
        if any(not isinstance(x, Tensor) for x in leaves):
            wrong = next(x for x in leaves if not isinstance(x, Tensor))
            raise ArgumentError(f"{who}: arguments to differentiate are tensors, nested or not, given a {type(wrong).__name__}")
        self.leaves = [_fresh(x) for x in leaves]
        with _recording(True):
            output = call(unflatten(self.tree, self.leaves))
        self.aux = None
        if has_aux:
            if not (isinstance(output, tuple) and len(output) == 2):
                raise ArgumentError(
                    f"{who}: with has_aux=True the function returns a pair (result, more), it returned {type(output)}"
                )
            output, self.aux = output
        self.outputs, self.nesting = flatten(output)
        for y in self.outputs:
            if not isinstance(y, Tensor):
                raise ArgumentError(f"{who}: the function must return tensors, it returned a {type(y).__name__}")
        self.outside = self.recorded and _outside(self.outputs, self.leaves, self.since)

    def gradients(self, cotangents: Sequence[Tensor | None], *, create_graph: bool | None = None) -> Any:
        """The gradients of the arguments, nested as they are."""
        create = self.outside if create_graph is None else create_graph
        pairs = [(y, g) for y, g in zip(self.outputs, cotangents, strict=True) if y._rg]
        inputs = [x for x in self.leaves if x._rg]
        roots, seeds = [y for y, _ in pairs], [g for _, g in pairs]
        with _recording(True):
            found = iter(engine._run("grad", roots, seeds, True, create, inputs) if pairs else [None] * len(inputs))
        grads = [next(found) if x._rg else None for x in self.leaves]
        return unflatten(self.tree, [zeros_like(x) if g is None else g for g, x in zip(grads, self.leaves, strict=True)])

    def result(self) -> Any:
        """What the function returned."""
        return self.shown(unflatten(self.nesting, self.outputs))

    def shown(self, value: Any) -> Any:
        """A value as it leaves the level."""
        return value if self.outside else _cut(value)


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives (gradient, value) of `func`, which returns one number.

    Args:
        argnums: which arguments to differentiate: a position (its gradient, nested as it is) or several (a tuple).
        has_aux: `func` returns (value, more), and the result is (gradient, (value, more)).

    >>> import frazil as fz
    >>> fz.func.grad_and_value(lambda x: (x**2).sum())(fz.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        at = _picked(argnums, args, "grad")

        def call(primals: Any) -> Any:
            given = list(args)
            for i, value in zip(at, primals, strict=True):
                given[i] = value
            return func(*given, **kwargs)

        level = _Level("grad", func, tuple(args[i] for i in at), has_aux, call)
        if level.nesting.kind is not None:
            raise ArgumentError("grad: the function must return one tensor of one element, it returned several")
        (y,) = level.outputs
        if y.ndim:
            raise ArgumentError(
                f"grad: the function must return a tensor without dimensions, it returned one of shape {list(y.shape)}"
            )
        grads = level.shown(level.gradients([None]))
        value = level.result()
        return grads[0] if isinstance(argnums, int) else grads, (value, _cut_aux(level)) if has_aux else value

    return differentiated


def _cut_aux(level: _Level) -> Any:
    return level.shown(level.aux)


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of `func`, which returns one number, as a function; arguments as in `grad_and_value`.

    With `vmap` it gives a gradient for every sample, and it can be differentiated again.

    >>> import frazil as fz
    >>> fz.func.grad(fz.sin)(fz.tensor(0.0))
    tensor(1.)
    >>> fz.func.vmap(fz.func.grad(fz.func.grad(lambda x: x**3)))(fz.tensor([1.0, 2.0]))
    tensor([ 6., 12.])
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        grads, value = both(*args, **kwargs)
        return (grads, value[1]) if has_aux else grads

    return differentiated


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(result, function): the function takes gradients of the result, and gives those of the primals, as a tuple.

    With `has_aux`, `func` returns (result, more), and this (result, function, more).

    >>> import frazil as fz
    >>> y, pull = fz.func.vjp(fz.sin, fz.tensor([0.0, 1.0]))
    >>> pull(fz.tensor([1.0, 0.0]))
    (tensor([1., 0.]),)
    """
    level = _Level("vjp", func, primals, has_aux, lambda given: func(*given))

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        leaves, tree = flatten(given)
        if len(leaves) != len(level.outputs) or any(not isinstance(g, Tensor) for g in leaves):
            raise ArgumentError(f"vjp: expected gradients nested as the result, {level.nesting}, given {tree}")
        return level.shown(level.gradients(leaves))

    return (level.result(), pull, level.shown(level.aux)) if has_aux else (level.result(), pull)


def _matched(who: str, tangents: Any, level: _Level) -> list[Tensor]:
    leaves, tree = flatten(tangents)
    if len(leaves) != len(level.leaves) or any(
        not isinstance(t, Tensor) or tuple(t.shape) != tuple(x.shape) for t, x in zip(leaves, level.leaves, strict=False)
    ):
        raise ArgumentError(f"{who}: expected tangents with the nesting {level.tree} and the shapes of the primals, given {tree}")
    return leaves


def _pushforward(level: _Level) -> Callable[[Sequence[Tensor]], list[Tensor]]:
    """Directional derivatives of a level's outputs: the gradient, a linear function of what is given for the outputs, is
    differentiated with respect to that."""
    seeds = [_fresh(zeros_like(y)) for y in level.outputs]
    grads, _ = flatten(level.gradients(seeds, create_graph=True))
    linear = [(g, i) for i, g in enumerate(grads) if g._rg]

    def push(tangents: Sequence[Tensor]) -> list[Tensor]:
        roots = [g for g, _ in linear]
        given = [tangents[i] for _, i in linear]
        with _recording(True):
            found = engine._run("jvp", roots, given, True, level.outside, seeds) if roots else [None] * len(seeds)
        return [zeros_like(y) if t is None else t for t, y in zip(found, level.outputs, strict=True)]

    return push


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """(result, its derivative in the direction of `tangents`), where both tuples have one entry for each argument.

    With `has_aux`, `func` returns (result, more), and this a triple.

    >>> import frazil as fz
    >>> fz.func.jvp(lambda x: x**2, (fz.tensor([1.0, 2.0]),), (fz.tensor([1.0, 1.0]),))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise ArgumentError("jvp: primals and tangents are tuples with one entry for each argument")
    level = _Level("jvp", func, primals, has_aux, lambda given: func(*given))
    given = _matched("jvp", tangents, level)
    if strict and not all(y._rg for y in level.outputs):
        raise AutogradError("jvp: with strict=True every result must depend on the primals")
    found = unflatten(level.nesting, _pushforward(level)(given))
    # A tangent that is differentiated outside keeps its tape, even where the primals have none.
    pushed = found if level.outside or (level.recorded and any(t._rg for t in given)) else _cut(found)
    return (level.result(), pushed, level.shown(level.aux)) if has_aux else (level.result(), pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> Any:
    """(result, function): the function takes tangents of the primals and gives the derivative of the result in their direction.

    >>> import frazil as fz
    >>> y, push = fz.func.linearize(fz.sin, fz.tensor(0.0))
    >>> push(fz.tensor(2.0))
    tensor(2.)
    """
    level = _Level("linearize", func, primals, False, lambda given: func(*given))
    forward = _pushforward(level)

    def push(*tangents: Any) -> Any:
        return level.shown(unflatten(level.nesting, forward(_matched("linearize", tangents, level))))

    return level.result(), push


def _basis(t: Tensor) -> Tensor:
    """The unit tensors of the shape of `t`, one after another."""
    n = t.numel()
    made = eye(n, dtype=t.dtype, device=t.device).reshape(n, *t.shape)
    return t._dev.lifted(made) if t._dev.depth else made


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of `func`, row by row: for every result and argument a tensor [*shape of result, *shape of argument].

    Args:
        argnums: which arguments: a position, or several (a tuple of Jacobians).
        has_aux: `func` returns (result, more), and the Jacobian comes with the latter.
        chunk_size: how many rows are computed at once; None: all.

    >>> import frazil as fz
    >>> fz.func.jacrev(lambda x: x**2)(fz.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        level, call_tree = _level_of("jacrev", func, argnums, has_aux, args, kwargs)
        rows = []
        for i, y in enumerate(level.outputs):

            def pull(g: Tensor, at: int = i) -> Any:
                seeds = [g if j == at else zeros_like(other) for j, other in enumerate(level.outputs)]
                return tuple(flatten(level.gradients(seeds))[0])

            with _recording(level.outside):
                parts = vmap(pull, chunk_size=chunk_size)(_basis(y)) if y.numel() else tuple(map(_no_rows, level.leaves))
            rows.append([p.reshape(*y.shape, *x.shape) for p, x in zip(parts, level.leaves, strict=True)])
        return _jacobians(level, rows, argnums, call_tree, has_aux)

    return jacobian


def _no_rows(x: Tensor) -> Tensor:
    return zeros_like(x).unsqueeze(0).expand(0, *x.shape)


def _level_of(
    who: str, func: Callable[..., Any], argnums: Argnums, has_aux: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[_Level, Tree]:
    at = _picked(argnums, args, who)

    def call(primals: Any) -> Any:
        given = list(args)
        for i, value in zip(at, primals, strict=True):
            given[i] = value
        return func(*given, **kwargs)

    level = _Level(who, func, tuple(args[i] for i in at), has_aux, call)
    return level, level.tree


def _jacobians(level: _Level, rows: list[list[Tensor]], argnums: Argnums, tree: Tree, has_aux: bool) -> Any:
    """The blocks, nested as the results and in them as the arguments."""
    blocks = []
    for row in rows:
        nested = unflatten(tree, row)
        blocks.append(nested[0] if isinstance(argnums, int) else nested)
    found = level.shown(unflatten(level.nesting, blocks))
    return (found, level.shown(level.aux)) if has_aux else found


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """The Jacobian of `func`, column by column: better than `jacrev` where the results are many and the arguments few.

    Arguments and result as in `jacrev`; `randomness` is accepted for PyTorch's sake: `func` runs once.

    >>> import frazil as fz
    >>> fz.func.jacfwd(lambda x: x.sum() * x)(fz.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        level, tree = _level_of("jacfwd", func, argnums, has_aux, args, kwargs)
        push = _pushforward(level)
        rows: list[list[Tensor]] = [[] for _ in level.outputs]
        for i, x in enumerate(level.leaves):

            def column(t: Tensor, at: int = i) -> Any:
                return tuple(push([t if j == at else zeros_like(other) for j, other in enumerate(level.leaves)]))

            if x.numel():
                with _recording(level.outside):
                    columns = vmap(column, out_dims=-1, chunk_size=chunk_size)(_basis(x))
            else:
                columns = tuple(zeros_like(y).unsqueeze(-1).expand(*y.shape, 0) for y in level.outputs)
            for row, part, y in zip(rows, columns, level.outputs, strict=True):
                row.append(part.reshape(*y.shape, *x.shape))
        return _jacobians(level, rows, argnums, tree, has_aux)

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The matrix of second derivatives of `func`: `jacfwd(jacrev(func))`.

    >>> import frazil as fz
    >>> fz.func.hessian(lambda x: x[0] ** 2 * x[1])(fz.tensor([1.0, 2.0]))
    tensor([[4., 2.],
            [2., 0.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
