"""The CUDA texts that the CuPy backend writes, found by asking it for everything, and compiled by NVRTC without a GPU.

The renderer writes a text per program, dtypes and layout, so there is no end to them; these are those for all samples of the op
table in every dtype and memory layout, and for every form of an optimiser's step.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from frazil.autograd.modes import no_grad
from frazil.backends.cupy import kernels_of, nvrtc
from frazil.backends.render import CUDA
from frazil.device import KernelTable, device
from frazil.dtypes import ALL, bfloat16, float32
from frazil.table import OPS
from frazil.testing.cases import FLOATS, LAYOUTS, case, cases, samples_of, without_fast_kernels

from .emulated import register
from .emulator import Host

ARCHITECTURES = ("sm_75", "sm_80", "sm_90")
#: Kernels compiled together: most of the time goes into reading CUDA's headers.
TOGETHER = 48


class Collector(Host):
    """A runtime that notes texts and runs nothing: results are whatever the memory holds."""

    def __init__(self) -> None:
        super().__init__()
        self.asking = ""
        self.found: dict[str, str] = {}

    def function(self, text: str, name: str = "kernel_") -> Any:
        self.found.setdefault(text, self.asking)
        return lambda groups, threads, arguments: None


def every_text() -> dict[str, str]:
    """Text -> the op that asked for it first."""
    register()
    d, collector = device("cuda_emulated"), Collector()
    d.open()
    before, d.kernels = d.kernels, KernelTable(d)
    d.kernels.update(kernels_of(collector))
    whole = [name for name, t in ALL.items() if t.kind in "bi" and name in d.capabilities().dtypes]
    others = (case(name, 0, t) for name in OPS if samples_of(name) for t in whole)
    try:
        with no_grad(), np.errstate(all="ignore"):
            for c in itertools.chain(cases(FLOATS), others):
                collector.asking = c.name
                laid_out = OPS[c.name].kind == "primitive" and (c.dtype == "float32" or not c.position)
                for layout in LAYOUTS.values() if laid_out else [LAYOUTS["plain"]]:
                    for how in (contextlib.nullcontext(), without_fast_kernels(d)):
                        # Numbers that were never computed may be refused, and so are dtypes that an op is not for.
                        with contextlib.suppress(Exception), how:
                            c.call(d, *c.tensors(d, layout))
            for c in cases(["float32"], keep=lambda c: c.given and c.floats):
                collector.asking = c.name
                with contextlib.suppress(Exception):
                    c.call(d, *[t if t is None or t.dtype is not float32 else t.to(bfloat16) for t in c.tensors(d)])
            for dtype in d.backend.capabilities().dtypes:  # the device's are more: complex numbers, in pairs
                _many_indices(collector, d.kernels, dtype)
            for dtype in ("bfloat16", *FLOATS):
                _optimisers(collector, d.kernels, dtype)
    finally:
        d.kernels = before
    return collector.found


def _many_indices(collector: Collector, kernels: dict[str, Any], dtype: str) -> None:
    x, values, index = np.zeros((3, 4), dtype), np.zeros((500, 4), dtype), np.zeros((500, 4), np.int64)
    for name, accumulate in (("scatter_values", False), ("scatter_add_values", True)):
        collector.asking = name
        kernels[name](x, index, values, dim=0)
        collector.asking = "index_put_values"
        kernels["index_put_values"](x, values, index[:, 0], accumulate=accumulate)


def _optimisers(collector: Collector, kernels: dict[str, Any], dtype: str) -> None:
    both = (False, True)
    for layout in (slice(None), slice(None, None, 2)):
        a, b, c, d, g = (np.zeros(64, dtype)[layout] for _ in range(5))
        step, lr = np.zeros((), np.float32), np.full((), 0.1, np.float32)
        for rate, decay, maximize, flag in itertools.product((0.1, lr), (0.0, 0.1), both, both):
            collector.asking = "sgd_step_"
            kernels["sgd_step_"](a, g, rate, weight_decay=decay, maximize=maximize)
            collector.asking = "sgd_momentum_step_"
            kernels["sgd_momentum_step_"](a, b, g, rate, momentum=0.9, weight_decay=decay, nesterov=flag, maximize=maximize)
            options = {"weight_decay": decay, "decoupled": flag, "maximize": maximize}
            collector.asking = "adam_step_"
            kernels["adam_step_"](a, b, c, step, g, rate, **options)
            collector.asking = "amsgrad_step_"
            kernels["amsgrad_step_"](a, b, c, d, step, g, rate, **options)


# ---------------------------------------------------------------------------------------------------------------- compiling


class Kernel(NamedTuple):
    """What the compiler says of a kernel, sizes in bytes."""

    text: str
    registers: int
    stack: int
    spills: int


def compiled(texts: Sequence[str], arch: str) -> Iterator[Kernel]:
    """Compile them all. DeviceError with the compiler's words where one is wrong."""
    for first in range(0, len(texts), TOGETHER):
        part = texts[first : first + TOGETHER]
        spaces = [f"namespace n{i} {{\n{text.replace('kernel_(', f'kernel_{i}_(')}}}\n" for i, text in enumerate(part)]
        log = nvrtc.compile_text(CUDA.prelude + "".join(spaces), arch, options=("--ptxas-options=-v",)).log
        said = {int(i): words for i, words in re.findall(r"entry function 'kernel_(\d+)_'(.*?Used \d+ registers)", log, re.S)}
        assert len(said) == len(part), f"{len(part)} kernels were compiled, the compiler speaks of {len(said)}"
        for i, text in enumerate(part):
            numbers = [
                sum(map(int, re.findall(pattern, said[i])))
                for pattern in (r"Used (\d+) registers", r"(\d+) bytes stack frame", r"(\d+) bytes spill \w+")
            ]
            yield Kernel(text, *numbers)
