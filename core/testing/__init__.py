"""What tests of programs written with frazil need: `fz.testing.assert_close`, and the definition of every op (`reference`)."""

from __future__ import annotations

from typing import Any

from . import reference
from .close import assert_close
from .kernels import kernel_arguments, kernel_replaced
from .values import make_tensor

__all__ = [
    "BackendConformance",
    "assert_allclose",
    "assert_close",
    "kernel_arguments",
    "kernel_replaced",
    "make_tensor",
    "reference",
]


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True, msg: str = ""
) -> None:
    """The old name of `assert_close`: dtypes and devices may differ, and NaN equals NaN.

    >>> import frazil as fz
    >>> fz.testing.assert_allclose(fz.tensor([1.0]), fz.tensor([1.0], dtype=fz.float64))
    """
    assert_close(
        actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, check_device=False, msg=msg or None
    )


def __getattr__(name: str) -> Any:
    if name == "BackendConformance":  # needs nn and optim, which need not be there for assert_close
        from .conformance import BackendConformance

        return BackendConformance
    raise AttributeError(f"module 'frazil.testing' has no attribute {name!r}")
