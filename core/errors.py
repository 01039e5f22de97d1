"""Every exception of frazil. Each also is the built-in error that PyTorch programs catch."""

from __future__ import annotations

from typing import final


class FrazilError(Exception):
    """Base of all errors that frazil raises on purpose."""


@final
class ShapeError(FrazilError, RuntimeError, ValueError):
    """Shapes do not fit the operation."""


@final
class DTypeError(FrazilError, RuntimeError, TypeError):
    """A dtype does not fit the operation."""


@final
class DimError(FrazilError, IndexError, RuntimeError):
    """A dimension or an index is out of range."""


@final
class ArgumentError(FrazilError, RuntimeError, TypeError, ValueError):
    """An argument is of the wrong kind, missing, or unknown."""


@final
class DeviceError(FrazilError, RuntimeError):
    """A device is unknown, missing, or differs between operands."""


class AutogradError(FrazilError, RuntimeError):
    """The gradient that was asked for does not exist or can no longer be computed."""


@final
class MissingKernelError(FrazilError, NotImplementedError):
    """A backend has no kernel for an operation and strict mode forbids a detour through the CPU."""


@final
class NoDataError(FrazilError, NotImplementedError):
    """The numbers of a tensor on the device "meta" are asked for, which has none."""


@final
class ConfigError(FrazilError, ValueError):
    """A configuration file, variable or argument is wrong."""


class BackendError(FrazilError, RuntimeError):
    """A backend or plugin is unknown, not installed, or broken."""


@final
class NoCUDAError(BackendError, AssertionError):
    """Something is asked of CUDA and its backend is not installed; PyTorch without CUDA raises an AssertionError."""


class RecordError(FrazilError, RuntimeError):
    """A program cannot be recorded as it stands."""


@final
class ScriptError(RecordError):
    """A scripted program has a construct that cannot be expressed."""


@final
class AssertError(FrazilError, AssertionError, RuntimeError):
    """A recorded program stops, at an assert or a raise that depends on the numbers of a tensor."""


class SerializationError(FrazilError, RuntimeError):
    """A file cannot be written or read back."""


@final
class FileError(FrazilError, OSError):
    """A file or a folder of this machine cannot be read or written."""


@final
class PluginWarning(UserWarning):
    """An installed plugin is broken; frazil goes on without it."""


def briefly(value: object) -> str:
    """Return a value from a file or variable as a message shows it."""
    try:
        words = repr(value)
    except (ValueError, RecursionError):  # an integer of more digits than Python writes, an array in an array in an array ...
        return f"a very long {type(value).__name__}"
    return words if len(words) <= 200 else f"{words[:200]}..."
