"""PyTorch's names for recomputing activations in backward. Here they are kept: the numbers are the same, memory is not saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from ..warn import without_effect


def _kept() -> None:
    without_effect("checkpoint", "what backward needs is kept, so no memory is saved; smaller batches take less")


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    determinism_check: str = "default",
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`; the options are PyTorch's and change nothing. The first call in a process warns of that.

    >>> import frazil as fz
    >>> x = fz.tensor(3.0, requires_grad=True)
    >>> fz.utils.checkpoint.checkpoint(lambda v: v * v, x, use_reentrant=False).backward()
    >>> x.grad
    tensor(6.)
    """
    _kept()
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]], segments: int, input: Any, use_reentrant: bool | None = None, **options: Any
) -> Any:
    """All of `functions`, one after the other; the other arguments are PyTorch's and change nothing.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.checkpoint_sequential([fz.exp, fz.log], 2, fz.tensor(2.0))
    tensor(2.)
    """
    _kept()
    for function in functions:
        input = function(input)
    return input


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """The devices of tensors among `args` that have random states of their own, and those: none, for one generator serves all
    devices.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.get_device_states(fz.ones(2))
    ([], [])
    """
    return [], []


def set_device_states(devices: list[int], states: list[Any], *, device_type: str | None = None) -> None:
    """Accepted for what `get_device_states` gives.

    >>> import frazil as fz
    >>> fz.utils.checkpoint.set_device_states(*fz.utils.checkpoint.get_device_states(fz.ones(2)))
    """


def noop_context_fn() -> tuple[Any, Any]:
    """Two contexts that do nothing, for the first and the second computation.

    >>> import frazil as fz
    >>> len(fz.utils.checkpoint.noop_context_fn())
    2
    """
    return nullcontext(), nullcontext()
