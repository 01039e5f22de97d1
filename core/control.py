"""Control flow that a recording keeps: `cond`, `while_loop`, `scan`.

Eagerly they are ordinary Python: gradients come from the tape as always. While recording, the same calls record their branches
and bodies as graphs of their own (`recorder/branches.py`, `recorder/loops.py`), so the program decides when it runs and not when
it is frozen.
Functions given to them may use tensors around them, write to those in place, and draw random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from .creation import tensor
from .errors import ArgumentError, ShapeError
from .pytree import flatten, unflatten
from .state import STATE
from .table import FUNCTIONS
from .tensor import Tensor

#: What a recording does in the place of `cond`, `loop` and `scan`, given its recorder first; the recorder registers it.
RECORDED: dict[str, Callable[..., Any]] = {}


@final
class Undefined:
    """Stands for a variable without a value: where only one branch gives it one, or before the first round of a loop."""

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED = Undefined()


def cond(
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: Sequence[Any] = (),
    *,
    names: Sequence[str] | None = None,
) -> Any:
    """`true_fn(*operands)` if `pred` is true, else `false_fn(*operands)`.

    Args:
        pred: a bool, a tensor of one element, or a comparison of sizes.
        true_fn, false_fn: give tensors of the same dtype and rank, nested alike; sizes may differ.
        names: what to call the results in error messages, when they are a tuple.

    Only the chosen function runs. While recording, both are recorded. Raises RecordError where their results cannot be one value.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0)
    >>> fz.cond(x > 0, lambda x: x * 2, lambda x: -x, (x,))
    tensor(6.)
    """
    if STATE.recorder is not None:
        return RECORDED["cond"](STATE.recorder, pred, true_fn, false_fn, operands, names)
    return true_fn(*operands) if _truth("cond", pred) else false_fn(*operands)


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Sequence[Any]) -> tuple[Any, ...]:
    """`while cond_fn(*carried): carried = body_fn(*carried)`; the last `carried`.

    Args:
        cond_fn: gives a bool or a tensor of one element.
        body_fn: gives the next values, as many and nested as `carried_inputs`, with the same dtypes and ranks; sizes may change.

    >>> import frazil as fz
    >>> fz.while_loop(lambda n, steps: n > 1, lambda n, steps: (n // 2, steps + 1), (fz.tensor(100), fz.tensor(0)))
    (tensor(1), tensor(6))
    """
    return loop(cond_fn, lambda _i, *carried: (body_fn(*carried), ()), carried_inputs)[0]


def scan(combine_fn: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, *, dim: int = 0, reverse: bool = False) -> Any:
    """`carry, y = combine_fn(carry, x)` for every slice x of `xs` along `dim`; the last carry, and all y stacked along dim 0.

    Args:
        init: the first carry: tensors, nested at will.
        xs: tensors, nested at will, of the same size along `dim`.
        reverse: go from the last slice to the first; the y still stand in the order of the slices.

    >>> import frazil as fz
    >>> fz.scan(lambda total, x: (total + x, total), fz.tensor(0), fz.tensor([1, 2, 3]))
    (tensor(6), tensor([0, 1, 3]))
    """
    leaves, tree = flatten(xs)
    if not leaves or not all(isinstance(x, Tensor) and x.ndim for x in leaves):
        raise ArgumentError("scan: xs must hold at least one tensor, and tensors of at least one dimension only")
    leaves = [x if dim == 0 else x.movedim(dim, 0) for x in leaves]
    length = leaves[0].shape[0]
    if any(x.shape[0] != length for x in leaves):
        raise ShapeError(f"scan: the tensors of xs differ in size along dim {dim}: {[x.shape[0] for x in leaves]}")
    if STATE.recorder is not None:
        return RECORDED["scan"](STATE.recorder, combine_fn, init, leaves, tree, reverse)
    carry, rows = init, _Rows()
    for i in reversed(range(length)) if reverse else range(length):
        carry, y = combine_fn(carry, unflatten(tree, [x[i] for x in leaves]))
        rows.append(y)
    if not length:
        raise ShapeError("scan: xs is empty, so the shape of the results is not known; a recorded scan gives empty results")
    return carry, rows.stacked(reverse)


def loop(
    cond_fn: Callable[..., Any] | None,
    body_fn: Callable[..., tuple[Sequence[Any], Any]],
    carried: Sequence[Any],
    *,
    limit: Any = None,
    names: Sequence[str] | None = None,
) -> tuple[tuple[Any, ...], Any]:
    """The general loop: for i = 0, 1, ... while i < limit and cond_fn(*carried): `carried, ys = body_fn(i, *carried)`.

    Returns the last `carried`, and the ys of all rounds stacked along dim 0 (None where there was no round).
    """
    if STATE.recorder is not None:
        return RECORDED["loop"](STATE.recorder, cond_fn, body_fn, carried, limit, names)
    values, rows, i = tuple(carried), _Rows(), 0
    end = None if limit is None else int(limit)
    while (end is None or i < end) and (cond_fn is None or _goes_on(cond_fn(*values), i)):
        if STATE.reads is not None and cond_fn is None:
            STATE.reads()
        following, y = body_fn(i, *values)
        if not isinstance(following, (tuple, list)) or len(following) != len(values):
            count = len(following) if isinstance(following, (tuple, list)) else type(following).__name__
            raise ArgumentError(f"while_loop: the body must return as many values as it takes: {len(values)}, given {count}")
        values = tuple(following)
        rows.append(y)
        i += 1
    return values, rows.stacked()


def _truth(name: str, pred: Any) -> bool:
    if isinstance(pred, Tensor) and pred.numel() != 1:
        raise ShapeError(f"{name}: the condition must be one truth value, given {list(pred.shape)}; use .any() or .all()")
    return bool(pred)


def _goes_on(pred: Any, i: int) -> bool:
    """Return whether there is a round i; on the device "meta" there is one, which tells the shapes."""
    return not i if isinstance(pred, Tensor) and pred.is_meta else _truth("while_loop", pred)


@final
class _Rows:
    """What the rounds of a loop leave behind."""

    def __init__(self) -> None:
        self.rows: list[list[Tensor]] = []
        self.tree: Any = None

    def append(self, y: Any) -> None:
        leaves, tree = flatten(y)
        if self.tree is not None and str(tree) != str(self.tree):
            raise ArgumentError(f"scan: the results of two rounds are nested differently: {self.tree} and {tree}")
        self.tree = tree
        self.rows.append(leaves)

    def stacked(self, reverse: bool = False) -> Any:
        if not self.rows:
            return None
        rows = self.rows[::-1] if reverse else self.rows
        columns = [[_as_tensor(value) for value in column] for column in zip(*rows, strict=True)]
        return unflatten(self.tree, [FUNCTIONS["stack"](column) for column in columns])


def _as_tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else tensor(value)
