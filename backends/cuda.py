"""PyTorch's switches of CUDA's libraries, for programs that set them: they can be set, and change nothing here."""

from __future__ import annotations

from types import SimpleNamespace

matmul = SimpleNamespace(
    allow_tf32=False, allow_fp16_reduced_precision_reduction=True, allow_bf16_reduced_precision_reduction=True
)


def is_built() -> bool:
    """Return whether a CUDA device can be used.

    >>> import frazil as fz
    >>> fz.backends.cuda.matmul.allow_tf32 = True
    >>> fz.backends.cuda.is_built() == fz.cuda.is_available()
    True
    """
    from frazil.cuda import is_available

    return is_available()
