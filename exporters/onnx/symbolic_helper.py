"""`torch.onnx.symbolic_helper`: how libraries tell PyTorch's older exporter to write operators of their own.

Here an operator is recorded as what it computes, so such functions are taken and never asked; `fz.onnx.lowering` says how an op
is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def parse_args(*descriptors: str) -> Callable[[F], F]:
    """Decorator, accepted for PyTorch's sake: says how the arguments of a symbolic function are read. Nothing changes.

    >>> import frazil as fz
    >>> fz.onnx.symbolic_helper.parse_args("v", "f")(max)(1, 2)
    2
    """
    return lambda function: function


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Callable[..., Any], opset_version: int) -> None:
    """Accepted for PyTorch's sake: an operator is written as what it computes.

    >>> import frazil as fz
    >>> fz.onnx.register_custom_op_symbolic("mylib::cube", lambda g, x: g.op("Mul", x, x), 11)
    """


def unregister_custom_op_symbolic(symbolic_name: str, opset_version: int) -> None:
    """Accepted for PyTorch's sake: nothing was registered.

    >>> import frazil as fz
    >>> fz.onnx.unregister_custom_op_symbolic("mylib::cube", 11)
    """
