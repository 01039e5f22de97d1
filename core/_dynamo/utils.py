"""`torch._dynamo.utils`: what libraries ask about the compiler."""


def is_compile_supported(device_type: str) -> bool:
    """Return whether `fz.compile` works on devices of this type: on all.

    >>> from frazil._dynamo.utils import is_compile_supported
    >>> is_compile_supported("cpu")
    True
    """
    return True
