"""Convolutions by cuDNN, where `nvidia-cudnn-frontend` is installed: a plan per shapes, dtype and window."""

from __future__ import annotations

import importlib
import math
import threading
from typing import Any, NamedTuple

import numpy as np

from ..render.kernels.runtime import Array

Sizes = tuple[int, ...]


class How(NamedTuple):
    """A convolution: "fprop" of (images, weights), "dgrad" of (slopes, weights), "wgrad" of (slopes, images); and its window."""

    what: str
    shape: Sizes  # of the result
    stride: Sizes
    padding: Sizes
    dilation: Sizes


#: The two operands by cuDNN's names, and its function.
_OPERANDS = {"fprop": ("image", "weight"), "dgrad": ("loss", "filter"), "wgrad": ("loss", "image")}


class _Plan(NamedTuple):
    graph: Any
    operands: tuple[Any, Any]
    result: Any
    workspace: int


class Convolutions:
    """cuDNN on a device: `__call__` raises where it has nothing for a convolution."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._cudnn: Any = importlib.import_module("cudnn")
        self._handle = self._cudnn.create_handle()
        self._plans: dict[Any, _Plan] = {}
        self._lock = threading.Lock()

    def __call__(self, how: How, a: Array, b: Array) -> Array:
        """The result, for contiguous operands of float16 or float32."""
        with self._lock:  # a handle is on one stream at a time
            plan = self._plans.get((how, a.shape, b.shape, a.dtype))
            if plan is None:
                graph, operands, result = described(self._cudnn, how, a.shape, b.shape, a.dtype.name, self._handle)
                plan = self._plans[how, a.shape, b.shape, a.dtype] = self._built(graph, operands, result, a.dtype.name)
            y = self._xp.empty(how.shape, a.dtype)
            workspace = self._xp.empty(plan.workspace, np.uint8)
            self._cudnn.set_stream(self._handle, self._xp.cuda.get_current_stream().ptr)
            places = {plan.operands[0]: a.data.ptr, plan.operands[1]: b.data.ptr, plan.result: y.data.ptr}
            plan.graph.execute(places, workspace.data.ptr, handle=self._handle)
            return y

    def _built(self, graph: Any, operands: tuple[Any, Any], result: Any, dtype: str) -> _Plan:
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([self._cudnn.heur_mode.A, self._cudnn.heur_mode.FALLBACK])
        if dtype == "float32":  # products of float32 are products of float32
            notes = self._cudnn.numerical_note
            graph.deselect_numeric_notes([notes.TENSOR_CORE, notes.DOWN_CONVERT_INPUTS])
        graph.check_support()
        graph.build_plans()
        return _Plan(graph, operands, result, max(1, graph.get_workspace_size()))


def described(cudnn: Any, how: How, a: Sizes, b: Sizes, dtype: str, handle: Any = None) -> tuple[Any, tuple[Any, Any], Any]:
    """The graph of a convolution, its two operands, and its result. Lines are images of one row: cuDNN knows none."""
    kinds = {"float16": cudnn.data_type.HALF, "float32": cudnn.data_type.FLOAT}
    wide, extra = cudnn.data_type.FLOAT, max(0, 4 - len(a))
    options = {} if handle is None else {"handle": handle}
    graph = cudnn.pygraph(io_data_type=kinds[dtype], intermediate_data_type=wide, compute_data_type=wide, **options)

    def spread(shape: Sizes) -> list[int]:
        return [*shape[:2], *(1,) * extra, *shape[2:]]

    def steps(shape: list[int]) -> list[int]:
        return [math.prod(shape[i + 1 :]) for i in range(len(shape))]

    names = _OPERANDS[how.what]
    operands = [
        graph.tensor(name=name, dim=spread(shape), stride=steps(spread(shape)), data_type=kinds[dtype])
        for name, shape in zip(names, (a, b), strict=True)
    ]
    result = getattr(graph, f"conv_{how.what}")(
        **dict(zip(names, operands, strict=True)),
        padding=[*(0,) * extra, *how.padding],
        stride=[*(1,) * extra, *how.stride],
        dilation=[*(1,) * extra, *how.dilation],
        compute_data_type=wide,
    )
    result.set_dim(spread(how.shape)).set_stride(steps(spread(how.shape))).set_output(True).set_data_type(kinds[dtype])
    return graph, (operands[0], operands[1]), result
