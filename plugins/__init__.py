"""Who provides what: the plugin manager, its hooks, the built-in providers and the command line."""

if __name__ != "frazil.plugins":
    raise ImportError(
        "plugins/ is the source folder of the package `frazil.plugins` and is not importable as `plugins`: "
        "run `pip install -e .` in the repository and `import frazil.plugins` instead"
    )

from types import ModuleType

from frazil.backend import Backend

from .hookspecs import BackendRecord, EngineRecord, LoweringRecord, OpsRecord, hookimpl
from .manager import Manager, PluginInfo

__all__ = [
    "MANAGER",
    "BackendRecord",
    "EngineRecord",
    "LoweringRecord",
    "Manager",
    "OpsRecord",
    "PluginInfo",
    "backend_for_device_type",
    "device_type_of",
    "exporter",
    "hookimpl",
    "list_backends",
    "list_engines",
    "list_plugins",
    "open_backend",
    "unknown_backend",
    "unknown_device_type",
]

#: The manager of this process.
MANAGER = Manager()


def open_backend(name: str) -> Backend:
    """The backend called `name`, made on the first call.

    Raises BackendError, with what to do next, when it is unknown, not installed, broken, or written for another contract.

    >>> from frazil.plugins import open_backend
    >>> open_backend("numpy").device_type
    'cpu'
    """
    return MANAGER.open_backend(name)


def backend_for_device_type(device_type: str) -> str:
    """The name of the backend for devices such as "cpu" or "cuda"; DeviceError or BackendError when there is none.

    >>> from frazil.plugins import backend_for_device_type
    >>> backend_for_device_type("cpu")
    'numpy'
    """
    return MANAGER.backend_for_device_type(device_type)


def device_type_of(backend: str) -> str:
    """The `device.type` of the tensors of a backend; "auto" stands for the best backend that runs a kernel here.

    >>> from frazil.plugins import device_type_of
    >>> device_type_of("numpy")
    'cpu'
    """
    return MANAGER.device_type_of(backend)


def unknown_backend(name: str) -> str | None:
    """Return why there is no backend of that name, installed or not; None where there is.

    >>> from frazil.plugins import unknown_backend
    >>> unknown_backend("nunpy"), unknown_backend("cupy")
    ("there is no backend 'nunpy'; did you mean 'numpy'?", None)
    """
    return MANAGER.unknown_backend(name)


def unknown_device_type(device_type: str) -> str | None:
    """Return why no backend, installed or not, has devices of that type; None where one has.

    >>> from frazil.plugins import unknown_device_type
    >>> unknown_device_type("cdua"), unknown_device_type("cuda")
    ("there is no device type 'cdua'; did you mean 'cuda'?", None)
    """
    return MANAGER.unknown_device_type(device_type)


def exporter(name: str) -> ModuleType:
    """The module of an exporter, which knows the ops and lowerings of all plugins; `fz.onnx` is `exporter("onnx")`.

    >>> from frazil.plugins import exporter
    >>> exporter("onnx").__name__
    'frazil.exporters.onnx'
    """
    return MANAGER.exporter(name)


def list_backends() -> list[BackendRecord]:
    """Return what is installed or known, installed ones first; imports no backend.

    >>> from frazil.plugins import list_backends
    >>> {"numpy", "cupy", "opencl"} <= {record.name for record in list_backends()}
    True
    """
    return MANAGER.backends()


def list_engines() -> list[EngineRecord]:
    """Return the engines of `fz.compile` beyond its own, installed or known; imports none of them.

    >>> from frazil.plugins import list_engines
    >>> all(record.name != "numpy" for record in list_engines())
    True
    """
    return MANAGER.engines()


def list_plugins() -> list[PluginInfo]:
    """Every installed plugin with its hooks, or with the error that keeps it from working.

    >>> from frazil.plugins import list_plugins
    >>> list_plugins()[0].name
    'frazil'
    """
    return MANAGER.plugins()
