"""The engine `onnxruntime` of `fz.compile`: a recording as a session, by the lowerings of the export."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import onnx_ir as ir
import onnxruntime

from frazil.compiled import Engine
from frazil.compiled.engines import open_engine
from frazil.recorder.graph import Graph

from .emit import element_type
from .errors import Unsupported
from .lower import lower

#: Graphs of more nodes are not tried: opening the session takes as long as many calls.
MOST_NODES = 20_000


@final
class OnnxRuntimeEngine(Engine):
    """Runs graphs of CPU tensors in onnxruntime. Everything comes in as an input, so weights are not copied."""

    name = "onnxruntime"
    own_steps = frozenset({"sgd_step"})  # two operations; apart, a GPT's step took a tenth longer

    def refuses(self, graph: Graph, device: Any) -> str | None:
        """Return why onnxruntime cannot run the graph."""
        if device.type != "cpu":
            return f"the tensors are on {device}"
        if len(graph.nodes) > MOST_NODES:
            return f"it has {len(graph.nodes)} operations"
        for value in (*graph.inputs, *graph.outputs):
            try:
                element_type(value.spec.dtype)
            except Unsupported as reason:
                return str(reason)
        return None

    def prepare(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> Callable[[Sequence[Any]], list[Any]]:
        """Return the session, opened."""
        if not graph.outputs:  # all results are views, which no engine makes; onnxruntime opens nothing that gives nothing
            return open_engine("numpy").prepare(graph, device, donated)
        return Session(graph, device, donated)


def _options() -> onnxruntime.SessionOptions:
    """Say nothing, as what goes wrong is raised; compute with as many threads as everything else."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads):
        options.intra_op_num_threads = int(threads)
    return options


@final
class Session:
    """Runs one graph. Inputs are bound where they are; new state is written beside the old one, and copied over it at the end."""

    def __init__(self, graph: Graph, device: Any, donated: Mapping[int, int]) -> None:
        # An input that is also a result, or is not read, is no matter: the lowering gives every result a name of its own.
        own = graph.copy()
        known = len(own.guards)
        lowered = lower(own, guards="left to the recording")
        if len(own.guards) > known:  # operators that want less sizes than the program takes: the others are left to the kernels
            lowered = lower(own, guards="embed")
        model = ir.to_proto(lowered.model)
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), _options(), providers=["CPUExecutionProvider"])
        self._options = onnxruntime.RunOptions()
        self._options.log_severity_level = 4
        self._inputs = [value.name for value in own.inputs]
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._types = [value.spec.dtype.numpy for value in own.outputs]
        self._donated = dict(donated)
        self._binding = self._session.io_binding()
        self._bound: list[Any] = [None] * len(self._inputs)
        self._spare: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        self._plain = open_engine("numpy").prepare(graph, device, {})

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """The results of the graph."""
        try:
            if self._lock.acquire(blocking=False):
                try:
                    return self._run(arrays)
                finally:
                    self._lock.release()
            feeds = {name: np.asarray(array) for name, array in zip(self._inputs, arrays, strict=True)}
            found: list[Any] = self._session.run(self._outputs, feeds, self._options)
        except Exception:
            return self._plain(arrays)  # which knows what to say
        return found

    def _run(self, arrays: Sequence[Any]) -> list[Any]:
        binding, bound = self._binding, self._bound
        for i, array in enumerate(arrays):
            if array is bound[i]:
                continue
            if isinstance(array, np.ndarray) and array.flags.c_contiguous:
                bound[i] = array
            else:  # a copy, which does not follow it
                bound[i], array = None, np.ascontiguousarray(array).reshape(np.shape(array))
            binding.bind_ortvalue_input(self._inputs[i], onnxruntime.OrtValue.ortvalue_from_numpy(array))
        for k, name in enumerate(self._outputs):
            if k not in self._donated:
                binding.bind_output(name)  # anew: its size may be another one
            elif k not in self._spare:
                spare = self._spare[k] = np.empty(np.shape(arrays[self._donated[k]]), self._types[k])
                binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(spare))
        self._session.run_with_iobinding(binding, self._options)
        found: list[Any] = []
        for k, value in enumerate(binding.get_outputs()):
            if k in self._donated:
                old = arrays[self._donated[k]]
                if isinstance(old, np.ndarray) and old.flags.writeable:
                    np.copyto(old, self._spare[k])
                    found.append(old)
                else:
                    found.append(self._spare[k].copy())
            else:
                found.append(value.numpy())  # memory that onnxruntime made for this run, and that the array keeps
        return found
