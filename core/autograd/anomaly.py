"""Where the first NaN of a backward pass comes from: `detect_anomaly`."""

from __future__ import annotations

from types import TracebackType
from typing import Any, final

from ..errors import AutogradError
from ..state import ANOMALY, STATE
from ..table import OPS
from ..tape import Node, watch
from .modes import _Mode


def _switch(on: bool, check_nan: bool) -> tuple[bool, bool]:
    before = ANOMALY.on, ANOMALY.check_nan
    watch(on - ANOMALY.on)
    ANOMALY.on, ANOMALY.check_nan = on, check_nan
    return before


class _AnomalyMode(_Mode):
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _switch(*self._before)

    _before: tuple[bool, bool]


@final
class detect_anomaly(_AnomalyMode):
    """Raise at the first gradient that is NaN, naming the operation and the line of the program that called it.

    Both forward and backward belong inside: the lines are kept for what is computed here. It costs time, so it is for finding
    faults. It holds for all threads.

    Args:
        check_nan: look for NaN; False: tell the forward line only, of a backward that raises.

    >>> import frazil as fz
    >>> x = fz.zeros(2, requires_grad=True)
    >>> with fz.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
    ...
    frazil.errors.AutogradError: backward of sqrt: ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = bool(check_nan)

    def __enter__(self) -> None:
        self._before = _switch(True, self.check_nan)

    def _fresh(self) -> Any:
        return detect_anomaly(self.check_nan)


@final
class set_detect_anomaly(_AnomalyMode):
    """Switch `detect_anomaly` on or off, at once; as a context manager, until its end.

    >>> import frazil as fz
    >>> with fz.autograd.set_detect_anomaly(True):
    ...     fz.ones(2, requires_grad=True).sum().backward()
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.mode, self.check_nan = bool(mode), bool(check_nan)
        self._before = _switch(self.mode, self.check_nan)

    def __enter__(self) -> None:
        pass

    def _fresh(self) -> Any:
        return set_detect_anomaly(self.mode, self.check_nan)


def is_anomaly_enabled() -> bool:
    """Return whether gradients are looked at: inside of `detect_anomaly`, or after `set_detect_anomaly(True)`.

    >>> import frazil as fz
    >>> with fz.autograd.detect_anomaly(): fz.is_anomaly_enabled()
    True
    """
    return ANOMALY.on


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether they are looked at for NaN.

    >>> import frazil as fz
    >>> with fz.autograd.detect_anomaly(check_nan=False): fz.is_anomaly_check_nan_enabled()
    False
    """
    return ANOMALY.check_nan


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Switch `detect_anomaly` on or off for good.

    >>> import frazil as fz
    >>> fz.set_anomaly_enabled(False)
    """
    _switch(bool(enabled), bool(check_nan))


def inspected(node: Node, gradient: Any, create_graph: bool) -> list[Any]:
    """`node.vjp`, whose results are looked at."""
    try:
        results = node.vjp(gradient, create_graph)
    except Exception as error:
        error.add_note(f"In backward of {node.op_name}, {_line(node)}")
        raise
    if ANOMALY.check_nan and STATE.recorder is None:
        for i, g in enumerate(results):
            if g is not None and _has_nan(g):
                names = node.op.tensors if node.op is not None and not node.op.packed else ()
                which = f"{names[i]} " if i < len(names) else f"{i} "
                raise AutogradError(
                    f"backward of {node.op_name}: the gradient of its input {which}"
                    f"({g.dtype.name}{list(g._a.shape)}) has NaN, the first of this backward pass; {_line(node)}"
                )
    return results


def _line(node: Node) -> str:
    source = getattr(node, "source", None)
    return f"its forward ran at {source}" if source else "its forward ran before detect_anomaly, so its line is not known"


def _has_nan(g: Any) -> bool:
    while g._dev.depth:  # in a `vmap`: of any sample
        g = g._a.value
    if g.dtype.kind not in "fc":
        return False
    before, STATE.grad = STATE.grad, False
    try:
        return bool(OPS["any"].call(OPS["isnan"].call(g)))
    finally:
        STATE.grad = before
