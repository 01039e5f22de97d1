"""The inside of the tape, as `torch.autograd.graph`: its nodes, and what keeps the tensors that backward needs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..errors import ArgumentError, AutogradError
from ..spelling import tell_names as _tell_names
from ..state import STATE
from ..tape import AccumulateGrad, Node, watch
from ..tensor import Tensor
from ..views import bump
from ..warn import without_effect
from .engine import GradientEdge
from .modes import _Mode

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks:
    """Give what operations save for backward to hooks: a context manager. Of several, the innermost holds.

    Args:
        pack_hook: called with each tensor that is saved; returns whatever is to be kept in its place.
        unpack_hook: called in backward with what `pack_hook` returned; returns a tensor of the same numbers.

    Neither is recorded for backward, and `pack_hook` may not change its tensor in place. Changes in place later on are the hooks'
    concern: backward does not look for them.

    >>> import frazil as fz
    >>> x = fz.tensor([2.0, 3.0], requires_grad=True)
    >>> with fz.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda h: h.float()):
    ...     y = (x * x).sum()
    >>> y.backward(); x.grad
    tensor([4., 6.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if STATE.unhooked is not None:
            raise AutogradError(STATE.unhooked)
        STATE.saving = (*STATE.saving, (self.pack_hook, self.unpack_hook))
        watch(1)

    def __exit__(self, *_: object) -> None:
        STATE.saving = STATE.saving[:-1]
        watch(-1)


class save_on_cpu(saved_tensors_hooks):
    """Keep what backward needs in the memory of the host, and bring it back when it is asked for: a context manager.

    Args:
        pin_memory, device_type: accepted for PyTorch's sake.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0, requires_grad=True)
    >>> with fz.autograd.graph.save_on_cpu():
    ...     y = x * x
    >>> y.backward(); x.grad
    tensor(6.)
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        if pin_memory:
            without_effect("save_on_cpu(pin_memory=True)", "the host's memory is used as it is")
        super().__init__(lambda t: (t.device, t.cpu()), lambda kept: kept[1].to(kept[0]))


class disable_saved_tensors_hooks(_Mode):
    """Refuse `saved_tensors_hooks` inside, with an error message: a context manager or decorator.

    >>> import frazil as fz
    >>> graph = fz.autograd.graph
    >>> with graph.disable_saved_tensors_hooks("not here"), graph.save_on_cpu():
    ...     pass
    Traceback (most recent call last):
    ...
    frazil.errors.AutogradError: not here
    """

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if STATE.saving:
            raise AutogradError(f"disable_saved_tensors_hooks: there are hooks around it already. {self.error_message}")
        self._before, STATE.unhooked = STATE.unhooked, self.error_message

    def __exit__(self, *_: object) -> None:
        STATE.unhooked = self._before

    def _fresh(self) -> Any:
        return disable_saved_tensors_hooks(self.error_message)


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge to which the gradient of a tensor goes, which `backward` and `grad` take in its place.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0, requires_grad=True)
    >>> edge = fz.autograd.graph.get_gradient_edge(x * 1)
    >>> edge.node.name(), edge.output_nr
    ('MulBackward0', 0)
    """
    if not tensor.requires_grad:
        raise AutogradError("get_gradient_edge: the tensor does not require grad, so no gradient goes to it")
    if tensor._node is None:
        return GradientEdge(AccumulateGrad(tensor), 0)
    node, number = tensor._node.shown()
    return GradientEdge(node, number, None if node is tensor._node else tensor._node)


def register_multi_grad_hook(tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all") -> Any:
    """Call `fn` with the gradients of several tensors, once in each backward pass that computes any of them.

    With `mode="all"` it is `fn([gradient or None, ...])`, when all that the pass computes are there; with `mode="any"` it is
    `fn(gradient)`, at the first one. The handle that is returned takes the hook away with `remove()`.

    >>> import frazil as fz
    >>> a, b = fz.ones(1, requires_grad=True), fz.ones(1, requires_grad=True)
    >>> seen = []
    >>> with fz.autograd.graph.register_multi_grad_hook([a, b], seen.append):
    ...     (a * 2).backward()
    >>> seen
    [[tensor([2.]), None]]
    """
    if mode not in ("all", "any"):
        raise ArgumentError(f"register_multi_grad_hook: mode is 'all' or 'any', given {mode!r}")
    found: list[Tensor | None] = []

    def finish() -> None:
        seen = list(found)
        found.clear()
        if mode == "all":
            fn(seen)

    def note(i: int, g: Tensor) -> None:
        first = not found
        if first:
            found.extend([None] * len(tensors))
            STATE.queued = (*STATE.queued, finish)
        found[i] = g
        if first and mode == "any":
            fn(g)

    return _Handles([t.register_hook(functools.partial(note, i)) for i, t in enumerate(tensors)])


class _Handles:
    """Handles of several hooks, as one."""

    def __init__(self, handles: list[Any]) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Note that the memory of a tensor, or of several, was changed by something that frazil does not see.

    >>> import frazil as fz
    >>> x = fz.ones(2)
    >>> fz.autograd.graph.increment_version(x)
    >>> x._version
    1
    """
    for t in [tensor] if isinstance(tensor, Tensor) else tensor:
        bump(t)


_tell_names(__name__)
