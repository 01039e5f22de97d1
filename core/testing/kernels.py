"""Looking at, and changing, what an op runs on a device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd.modes import no_grad
from ..device import device as Device
from ..dispatch import run
from ..errors import ArgumentError
from ..table import OPS, Op


@contextmanager
def kernel_replaced(device: str | Device, name: str, kernel: Callable[..., Any] | None) -> Iterator[None]:
    """Inside, the op `name` runs `kernel` on `device`; None: no kernel of its own, so a composite runs its body.

    >>> import frazil as fz
    >>> with kernel_replaced("cpu", "exp", lambda x: x + 1):
    ...     fz.exp(fz.tensor([1.0]))
    tensor([2.])
    """
    kernels = Device(device).kernels
    if kernel is None and OPS[name].body is None:
        raise ArgumentError(f"kernel_replaced: {name!r} is a primitive: it has no body to run instead of a kernel")
    before = kernels[name]
    kernels[name] = kernel
    try:
        yield
    finally:
        kernels[name] = before


class _Seen(Exception):
    pass


def kernel_arguments(op: Op, *args: Any, **attributes: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a kernel of `op` is given for a call with these arguments: (arrays, canonical attributes).

    >>> import frazil as fz
    >>> kernel_arguments(OPS["sum"], fz.ones(2, 3), dim=-1)[1]
    {'dim': (1,), 'keepdim': False, 'dtype': None}
    """
    seen: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def spy(*arrays: Any, **canonical: Any) -> Any:
        seen.append((arrays, canonical))
        raise _Seen

    with no_grad(), kernel_replaced("cpu", op.name, spy):
        try:
            if op.tensors:
                op.call(*args, **attributes)
            else:
                run(op, [], attributes, Device("cpu"))
        except Exception:
            if not seen:
                raise
    return seen[0]
