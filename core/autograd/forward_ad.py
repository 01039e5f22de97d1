"""Derivatives forwards, as `torch.autograd.forward_ad`: tensors that carry a tangent, and results that have one.

A tangent is worked out when it is asked for, with the tape: the gradient, which is linear in what is given for the result, is
differentiated with respect to that (as by `fz.func.jvp`).
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

from ..alias import detached
from ..creation import zeros_like
from ..errors import AutogradError, ShapeError
from ..explain import describe
from ..func.transforms import _fresh, _inner_cut, _outside, _recording
from ..spelling import tell_names as _tell_names
from ..state import STATE
from ..table import OPS
from ..tape import Node, next_order
from ..tensor import Tensor, wrap
from .engine import _reachable, _run
from .modes import _Mode

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


@final
class _Level:
    """The tensors that were given a tangent."""

    def __init__(self) -> None:
        self.recorded = STATE.grad
        self.since = next_order()
        self.leaves: list[Tensor] = []
        self.tangents: list[Tensor] = []

    def reaches(self, t: Tensor) -> bool:
        """Whether `t` was made from a tensor with a tangent."""
        own = {leaf._node or leaf for leaf in self.leaves}
        return t._node is not None and any(e in own for node in _reachable([t._node]) for e in node.edges if e is not None)


def enter_dual_level() -> int:
    """Begin a level, as `with dual_level()` does; returns its number, 0.

    >>> import frazil.autograd.forward_ad as fwAD
    >>> fwAD.enter_dual_level()
    0
    >>> fwAD.exit_dual_level()
    """
    if STATE.dual is not None:
        raise AutogradError(
            "dual_level: there is one around it; for derivatives of derivatives nest fz.func.jvp, or differentiate "
            "the tangent backwards"
        )
    STATE.dual = _Level()
    STATE.grad = True  # the tape is needed, whatever holds for gradients outside
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: tensors have no tangents any more.

    >>> import frazil.autograd.forward_ad as fwAD
    >>> fwAD.exit_dual_level()
    Traceback (most recent call last):
    ...
    frazil.errors.AutogradError: exit_dual_level: no level was entered
    """
    if STATE.dual is None or level not in (None, 0):
        raise AutogradError(
            "exit_dual_level: no level was entered" if STATE.dual is None else f"exit_dual_level: the level is 0, not {level}"
        )
    STATE.grad, STATE.dual = STATE.dual.recorded, None


@final
class dual_level(_Mode):
    """Inside, tensors may carry a tangent: a context manager or decorator.

    Operations are recorded on the tape inside, also where `no_grad` holds outside; under a `no_grad` inside, results have no
    tangent.

    >>> import frazil as fz
    >>> import frazil.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     x = fwAD.make_dual(fz.tensor([1.0, 2.0]), fz.tensor([1.0, 0.0]))
    ...     fwAD.unpack_dual(x**2)
    UnpackedDualTensor(primal=tensor([1., 4.]), tangent=tensor([2., 0.]))
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()

    def _fresh(self) -> Any:
        return dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """`tensor`, in the same memory, with a tangent: the direction in which results are differentiated.

    >>> import frazil as fz
    >>> import frazil.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     fwAD.unpack_dual(fz.sin(fwAD.make_dual(fz.tensor(0.0), fz.tensor(2.0)))).tangent
    tensor(2.)
    """
    held = STATE.dual
    if held is None:
        raise AutogradError("make_dual: there is no level; use it inside `with dual_level():`")
    for what, t in (("tensor", tensor), ("tangent", tangent)):
        if not isinstance(t, Tensor) or t.dtype.kind not in "fc":
            given = describe(t) if isinstance(t, Tensor) else f"a {type(t).__name__}"
            raise ValueError(f"make_dual: the {what} must be floating point or complex, given {given}")
    if tuple(tensor.shape) != tuple(tangent.shape):
        raise ShapeError(
            f"make_dual: the tangent has shape {list(tangent.shape)}, the tensor {list(tensor.shape)}; they must be equal"
        )
    if held.reaches(tensor):
        raise AutogradError("make_dual: the tensor has a tangent already; unpack_dual(tensor).primal has none")
    leaf = _fresh(tensor)
    dual = wrap(leaf._a, leaf._dev) if leaf._dev.depth else detached(leaf)
    dual._rg = True
    dual._node = Node(OPS["copy"], (leaf._node or leaf,), None, None, {}, leaf._a.shape, leaf._a.dtype)
    held.leaves.append(leaf)
    held.tangents.append(tangent)
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """(primal, tangent) of a tensor; the tangent is None where it depends on no tensor that was given one.

    >>> import frazil as fz
    >>> import frazil.autograd.forward_ad as fwAD
    >>> fwAD.unpack_dual(fz.ones(1))
    UnpackedDualTensor(primal=tensor([1.]), tangent=None)
    """
    held = STATE.dual
    if held is None or not held.reaches(tensor):
        return UnpackedDualTensor(tensor, None)
    with _recording(True):
        seed = zeros_like(tensor).requires_grad_()
        grads = _run("unpack_dual", [tensor], [seed], True, True, held.leaves)
        linear = [(g, t) for g, t in zip(grads, held.tangents, strict=True) if g is not None and g._rg]
        outside = held.recorded and (_outside([tensor], held.leaves, held.since) or any(t._rg for t in held.tangents))
        found = _run("unpack_dual", [g for g, _ in linear], [t for _, t in linear], True, outside, [seed])[0] if linear else None
    tangent = zeros_like(tensor) if found is None else found
    return UnpackedDualTensor(tensor, tangent) if outside else UnpackedDualTensor(_inner_cut(tensor), _inner_cut(tangent))


_tell_names(__name__)
