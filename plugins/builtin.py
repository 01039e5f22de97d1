"""What frazil itself says through the hooks: which backends it knows, installed or not.

Their classes are named by entry points in pyproject.toml, as those of any other package.
"""

from __future__ import annotations

from .hookspecs import BackendRecord, hookimpl


@hookimpl
def frazil_backends() -> list[BackendRecord]:
    """The backends that come with frazil."""
    return [
        BackendRecord("numpy", None, "cpu", install_hint="pip install --force-reinstall frazil"),
        BackendRecord("cupy", None, "cuda", ("cupy",), "pip install 'frazil[cuda13]'  (for CUDA 12: 'frazil[cuda12]')"),
        BackendRecord("opencl", None, "opencl", ("pyopencl",), "pip install 'frazil[opencl]'"),
    ]
