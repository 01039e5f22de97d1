"""PyTorch's switches of CUDA's libraries, for programs that set them: they can be set, and change nothing here."""

from __future__ import annotations

from contextlib import nullcontext
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


def sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> nullcontext[None]:
    """A context that changes nothing: how attention is computed is the backend's choice.

    >>> import frazil as fz
    >>> with fz.backends.cuda.sdp_kernel(enable_flash=False): pass
    """
    return nullcontext()


def enable_flash_sdp(enabled: bool) -> None:
    """Accepted: how attention is computed is the backend's choice.

    >>> import frazil as fz
    >>> fz.backends.cuda.enable_flash_sdp(False)
    """


enable_mem_efficient_sdp = enable_math_sdp = enable_cudnn_sdp = enable_flash_sdp


def flash_sdp_enabled() -> bool:
    """Return whether a program may rely on PyTorch's flash attention: no, the backend chooses.

    >>> import frazil as fz
    >>> fz.backends.cuda.flash_sdp_enabled(), fz.backends.cuda.math_sdp_enabled()
    (False, True)
    """
    return False


mem_efficient_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled


def math_sdp_enabled() -> bool:
    """Return True: attention is computed by its definition.

    >>> import frazil as fz
    >>> fz.backends.cuda.math_sdp_enabled()
    True
    """
    return True
