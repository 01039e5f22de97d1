"""What frazil itself says through the hooks: which backends and engines it knows, installed or not.

The classes of backends are named by entry points in pyproject.toml, as those of any other package.
"""

from __future__ import annotations

import importlib
from typing import Any

from .hookspecs import BackendRecord, EngineRecord, hookimpl


@hookimpl
def frazil_backends() -> list[BackendRecord]:
    """The backends that come with frazil."""
    return [
        BackendRecord("numpy", None, "cpu", install_hint="pip install --force-reinstall frazil"),
        BackendRecord("cupy", None, "cuda", ("cupy",), "pip install 'frazil[cuda13]'  (for CUDA 12: 'frazil[cuda12]')"),
        BackendRecord("opencl", None, "opencl", ("pyopencl",), "pip install 'frazil[opencl]'"),
        BackendRecord("meta", _meta, "meta"),
    ]


def _meta() -> Any:
    return importlib.import_module("frazil.backends.meta").MetaBackend


@hookimpl
def frazil_engines() -> list[EngineRecord]:
    """The engines that come with frazil, beside its own kernels."""
    return [
        EngineRecord("onnxruntime", _onnxruntime, ("onnx", "onnxruntime", "onnx_ir"), "pip install 'frazil[onnx]'"),
        EngineRecord("opencl", _opencl, ("pyopencl",), "pip install 'frazil[opencl]'"),
        EngineRecord("cupy", _cupy, ("cupy",), "pip install 'frazil[cuda13]'  (for CUDA 12: 'frazil[cuda12]')"),
    ]


def _onnxruntime() -> Any:
    importlib.import_module("frazil.plugins").exporter("onnx")  # with the lowerings of plugins
    return importlib.import_module("frazil.exporters.onnx.engine").OnnxRuntimeEngine


def _opencl() -> Any:
    return importlib.import_module("frazil.backends.opencl.engine").OpenCLEngine


def _cupy() -> Any:
    return importlib.import_module("frazil.backends.cupy.engine").CupyEngine
