"""Recorded programs on a device: chains of elementwise nodes are one kernel each, the launches of a run are kept and repeated.

The first run for some shapes goes step by step (`render/steps.py`), and every launch is written down, with memory from a pool of
the plan's own, so that buffers are reused as soon as they are free. Later runs repeat the launches with new inputs and results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import pyopencl as cl
from pyopencl.tools import ImmediateAllocator, MemoryPool

from frazil.recorder.graph import Graph

from ..render.kernels.iterate import contiguous
from ..render.kernels.runtime import Kernel
from ..render.steps import Steps
from .array import Array
from .runtime import Runtime


class Launch(NamedTuple):
    """A kernel of its own, with its arguments set, and which of them are inputs (position, slot) and results. OpenCL's kernels
    do not keep the buffers that are set as arguments: `buffers` does, such as those of numbers that a kernel has uploaded."""

    kernel: Any
    buffers: tuple[Any, ...]
    items: tuple[int, ...]
    group: tuple[int, ...] | None
    inputs: tuple[tuple[int, int], ...]
    results: tuple[tuple[int, int], ...]


@final
class CompiledGraph:
    """A recorded program for one device. Called with the arrays of its inputs, it returns those of its results.

    What the program captured (parameters) is read at every call.
    """

    def __init__(self, runtime: Runtime, kernels: Mapping[str, Kernel], graph: Graph) -> None:
        self.runtime, self.program = runtime, Steps(runtime, kernels, graph, self._own)
        self.plans: dict[Any, _Plan] = {}

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        given = [*(contiguous(self.runtime, a) for a in arrays), *self.program.captured()]
        pointers = [a.buffer.int_ptr for a in given]  # where two inputs share memory, a launch cannot tell which was meant
        key = tuple((a.shape, a.offset, pointers.index(p)) for a, p in zip(given, pointers, strict=True))
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plans[key] = _Plan(self.runtime, self.program, given)
        return plan(given)

    def _own(self, array: Any) -> Array:
        if isinstance(array, Array):
            return contiguous(self.runtime, array)
        return self.runtime.upload(np.asarray(array))


@final
class _Plan:
    """The launches of a run, for inputs of given shapes."""

    def __init__(self, runtime: Runtime, program: Steps, given: Sequence[Array]) -> None:
        self.runtime = runtime
        self.pool = MemoryPool(ImmediateAllocator(runtime.queue), leading_bits_in_bin_id=4)
        with runtime.capturing(self.pool) as captured:
            results = program.evaluate(given)
        slots = {a.buffer.int_ptr: i for i, a in enumerate(given)}
        produced = {r.buffer.int_ptr: i for i, r in reversed(list(enumerate(results))) if r.buffer.int_ptr not in slots}
        self.results = [(r, slots.get(r.buffer.int_ptr), produced.get(r.buffer.int_ptr)) for r in results]
        self.sizes = {i: r.buffer.size for i, r in enumerate(results)}
        self.fresh = sorted(set(produced.values()))
        self.launches = [self._launch(launch, slots, produced) for launch in captured]
        self.first: list[Array] | None = results

    def _launch(self, launch: Any, slots: dict[int, int], produced: dict[int, int]) -> Launch:
        kernel, items, group, arguments = launch
        own = cl.Kernel(*kernel.source)
        inputs, results = [], []
        for position, (argument, pointer) in enumerate(arguments):
            own.set_arg(position, argument)
            if pointer in slots:
                inputs.append((position, slots[pointer]))
            elif pointer in produced:
                results.append((position, produced[pointer]))
        buffers = tuple(a for a, p in arguments if p is not None and p not in slots and p not in produced)
        return Launch(own, buffers, items, group, tuple(inputs), tuple(results))

    def __call__(self, given: Sequence[Array]) -> tuple[Array, ...]:
        if self.first is not None:  # the run that was written down
            found, self.first = self.first, None
            return tuple(found)
        runtime = self.runtime
        buffers = {i: runtime.allocate(self.sizes[i]) for i in self.fresh}
        enqueue, queue = cl.enqueue_nd_range_kernel, runtime.queue
        with runtime.lock:
            for kernel, _, items, group, inputs, results in self.launches:
                for position, slot in inputs:
                    kernel.set_arg(position, given[slot].buffer)
                for position, slot in results:
                    kernel.set_arg(position, buffers[slot])
                enqueue(queue, kernel, items, group)
        runtime.faults_may_exist()
        made = []
        for r, given_slot, fresh in self.results:
            buffer = given[given_slot].buffer if given_slot is not None else buffers[fresh] if fresh is not None else r.buffer
            made.append(Array(buffer, r.shape, r.dtype, r.size, r.strides, r.offset, r.rows))
        return tuple(made)
