"""Rendering kernels: `Program` says what is computed, `render` writes OpenCL C or CUDA C."""

from __future__ import annotations

from .dialect import CUDA, OPENCL, Dialect
from .loops import Layout, group_size, render
from .program import Program, Value

__all__ = ["CUDA", "OPENCL", "Dialect", "Layout", "Program", "Value", "group_size", "render"]
